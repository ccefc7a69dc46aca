// Wraps samples in memory as sharp pipelines with metadata, and converts them between color profiles.

import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sharp } from 'sharp'
import { viewAs } from '../core/data.ts'
import { type Image, type Pixels, peakOf, pixelsToPlanes, quantize, withoutAlpha } from './image.ts'
import { type CarrierOptions, carrierPng, type ImageMetadata } from './metadata.ts'
import { grayTables, profileKind } from './profiles.ts'
import { sharp } from './sharp.ts'

type Samples = Uint8Array | Uint16Array

export interface Shape {
  readonly width: number
  readonly height: number
  /** Channels, alpha included. */
  readonly channels: number
}

/** Creates a pipeline that outputs the samples [h w c] unconverted, with the metadata. */
export function rasterOf(samples: Samples, shape: Shape, metadata: ImageMetadata | undefined): Sharp {
  const plain = sharp(samples, rasterInput(shape)).toColourspace(colourspaceOf(samples, shape))
  if (!metadata) return plain
  const { icc, exif, xmp, density } = metadata
  if (!icc && !exif && !xmp) return density === undefined ? plain : plain.withDensity(density)
  const depth = samples instanceof Uint16Array ? 16 : 8
  const withMetadata = attachToCarrier(samples, shape, { channels: shape.channels, depth, icc, exif, xmp })
  if (icc) withMetadata.keepIccProfile()
  if (exif) withMetadata.withExifMerge({})
  if (xmp) withMetadata.keepXmp()
  return density === undefined ? withMetadata : withMetadata.withExifMerge({}).withDensity(density)
}

/**
 * Converts pixels from a profile to 16-bit sRGB, precise enough that converting back restores the original
 * samples.
 */
export async function toSrgb(pixels: Pixels, profile: Uint8Array): Promise<Pixels> {
  const { width, height, channels, hasAlpha, data } = pixels
  const step = channels + (hasAlpha ? 1 : 0)
  const scale = 65535 / peakOf(data)
  const all = new Uint16Array(data.length)
  for (let i = 0; i < data.length; i++) all[i] = data[i]! * scale
  if (channels === 1) applyTable(all, step, grayTables(profile).toSrgb)
  else {
    const color = hasAlpha ? withoutAlpha(all, channels) : all
    const pipeline = attachToCarrier(
      color,
      { width, height, channels },
      { channels, depth: 16, icc: profile },
    )
    const converted = await convert(pipeline.withIccProfile('srgb'))
    if (!hasAlpha) return { ...pixels, data: converted }
    for (let pixel = 0; pixel < width * height; pixel++) {
      for (let c = 0; c < 3; c++) all[pixel * 4 + c] = converted[pixel * 3 + c]!
    }
  }
  return { ...pixels, data: all }
}

/** Converts sRGB planes to a profile. */
export async function fromSrgb(image: Image, profile: Uint8Array): Promise<Image> {
  const samples = quantize(image, 65535, new Uint16Array(image.data.length))
  if (image.channels === 1) applyTable(samples, 1, grayTables(profile).fromSrgb)
  const data = image.channels === 1 ? samples : await convertToProfile(samples, image, profile)
  return pixelsToPlanes({ ...image, hasAlpha: false, data }).image
}

/**
 * Converts sRGB samples to a profile through a temporary file, since sharp accepts output profiles only by
 * path.
 */
async function convertToProfile(
  samples: Uint16Array,
  shape: Shape,
  profile: Uint8Array,
): Promise<Uint16Array> {
  const path = join(tmpdir(), `limpid-${randomBytes(8).toString('hex')}.icc`)
  await writeFile(path, profile, { flag: 'wx' })
  try {
    const carrier: CarrierOptions = { channels: 3, depth: 16, icc: await srgbProfile() }
    return await convert(attachToCarrier(samples, shape, carrier).withIccProfile(path))
  } finally {
    await rm(path, { force: true })
  }
}

/** Returns the profile if pixels need converting; undefined for sRGB, or if it does not fit the channels. */
export function foreignProfile(icc: Uint8Array | undefined, channels: number): Uint8Array | undefined {
  return icc && profileKind(icc) === (channels === 1 ? 'gray' : 'rgb') ? icc : undefined
}

function applyTable(samples: Uint16Array, step: number, table: Uint16Array): void {
  for (let i = 0; i < samples.length; i += step) samples[i] = table[samples[i]!]!
}

/** Enlarges the carrier PNG and ORs the samples into it, which is exact and keeps the carrier's metadata. */
function attachToCarrier(samples: Samples, shape: Shape, carrier: CarrierOptions): Sharp {
  const { width, height } = shape
  const enlarged = sharp(carrierPng(carrier), { ignoreIcc: true, failOn: 'none' })
    .resize(width, height, { fit: 'fill', kernel: 'nearest' })
    .toColourspace(colourspaceOf(samples, shape))
  return (enlarged.boolean as BooleanOfSamples).call(enlarged, samples, 'or', rasterInput(shape))
}

/**
 * Signature of `boolean` that sharp's types omit: it accepts typed arrays and infers 16 bits from their
 * class.
 */
type BooleanOfSamples = (
  this: Sharp,
  samples: Samples,
  operator: 'or',
  options: ReturnType<typeof rasterInput>,
) => Sharp

async function convert(pipeline: Sharp): Promise<Uint16Array> {
  return viewAs(await pipeline.toColourspace('rgb16').raw({ depth: 'ushort' }).toBuffer(), Uint16Array)
}

let srgbProfileCache: Promise<Uint8Array> | undefined

/** Returns the sRGB profile built into libvips. */
function srgbProfile(): Promise<Uint8Array> {
  srgbProfileCache ??= sharp(new Uint8Array(3), rasterInput({ width: 1, height: 1, channels: 3 }))
    .withIccProfile('srgb')
    .png()
    .toBuffer()
    .then((file) => sharp(file).metadata())
    .then(({ icc }) => {
      if (!icc) throw new Error('libvips embeds no sRGB profile')
      return icc
    })
  return srgbProfileCache
}

interface RasterInput {
  readonly raw: { readonly width: number; readonly height: number; readonly channels: 1 | 2 | 3 | 4 }
  /** Off, since these samples have passed the limit already. */
  readonly limitInputPixels: false
}

function rasterInput({ width, height, channels }: Shape): RasterInput {
  return { raw: { width, height, channels: channels as 1 | 2 | 3 | 4 }, limitInputPixels: false }
}

function colourspaceOf(samples: Samples, { channels }: Shape): 'grey16' | 'b-w' | 'rgb16' | 'srgb' {
  const is16Bit = samples instanceof Uint16Array
  if (channels < 3) return is16Bit ? 'grey16' : 'b-w'
  return is16Bit ? 'rgb16' : 'srgb'
}
