// Samples in memory as sharp pipelines, with metadata, and their conversion between color profiles.

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
  /** Opacity included. */
  readonly channels: number
}

/** A pipeline that gives these samples [h w c] and writes this metadata; nothing is converted. */
export function rasterOf(samples: Samples, shape: Shape, metadata: ImageMetadata | undefined): Sharp {
  const plain = sharp(samples, inputOf(shape)).toColourspace(spaceOf(samples, shape))
  if (!metadata) return plain
  const { icc, exif, xmp, density } = metadata
  if (!icc && !exif && !xmp) return density === undefined ? plain : plain.withDensity(density)
  const depth = samples instanceof Uint16Array ? 16 : 8
  const carried = carry(samples, shape, { channels: shape.channels, depth, icc, exif, xmp })
  if (icc) carried.keepIccProfile()
  if (exif) carried.withExifMerge({})
  if (xmp) carried.keepXmp()
  return density === undefined ? carried : carried.withExifMerge({}).withDensity(density)
}

/** Pixels of a profile in sRGB, in 16 bits, so that the way back to the profile gives the file's own samples again. */
export async function toSrgb(pixels: Pixels, profile: Uint8Array): Promise<Pixels> {
  const { width, height, channels, hasAlpha, data } = pixels
  const step = channels + (hasAlpha ? 1 : 0)
  const scale = 65535 / peakOf(data)
  const all = new Uint16Array(data.length)
  for (let i = 0; i < data.length; i++) all[i] = data[i]! * scale
  if (channels === 1) lookUp(all, step, grayTables(profile).toSrgb)
  else {
    const color = hasAlpha ? withoutAlpha(all, channels) : all
    const pipeline = carry(color, { width, height, channels }, { channels, depth: 16, icc: profile })
    const converted = await convert(pipeline.withIccProfile('srgb'))
    if (!hasAlpha) return { ...pixels, data: converted }
    for (let pixel = 0; pixel < width * height; pixel++) {
      for (let c = 0; c < 3; c++) all[pixel * 4 + c] = converted[pixel * 3 + c]!
    }
  }
  return { ...pixels, data: all }
}

/** Planes of sRGB in a profile. */
export async function fromSrgb(image: Image, profile: Uint8Array): Promise<Image> {
  const samples = quantize(image, 65535, new Uint16Array(image.data.length))
  if (image.channels === 1) lookUp(samples, 1, grayTables(profile).fromSrgb)
  const data = image.channels === 1 ? samples : await inProfile(samples, image, profile)
  return pixelsToPlanes({ ...image, hasAlpha: false, data }).image
}

/** By way of a file, since sharp takes the profile to write by its path. */
async function inProfile(samples: Uint16Array, shape: Shape, profile: Uint8Array): Promise<Uint16Array> {
  const path = join(tmpdir(), `limpid-${randomBytes(8).toString('hex')}.icc`)
  await writeFile(path, profile, { flag: 'wx' })
  try {
    const carrier: CarrierOptions = { channels: 3, depth: 16, icc: await srgbProfile() }
    return await convert(carry(samples, shape, carrier).withIccProfile(path))
  } finally {
    await rm(path, { force: true })
  }
}

/** The profile that pixels have to be converted from and to: undefined for sRGB, or where it does not fit the channels. */
export function foreignProfile(icc: Uint8Array | undefined, channels: number): Uint8Array | undefined {
  return icc && profileKind(icc) === (channels === 1 ? 'gray' : 'rgb') ? icc : undefined
}

function lookUp(samples: Uint16Array, step: number, table: Uint16Array): void {
  for (let i = 0; i < samples.length; i += step) samples[i] = table[samples[i]!]!
}

/** The carrier enlarged, with the samples put in by OR: exact, and everything that the carrier says stays. */
function carry(samples: Samples, shape: Shape, carrier: CarrierOptions): Sharp {
  const { width, height } = shape
  const enlarged = sharp(carrierPng(carrier), { ignoreIcc: true, failOn: 'none' })
    .resize(width, height, { fit: 'fill', kernel: 'nearest' })
    .toColourspace(spaceOf(samples, shape))
  return (enlarged.boolean as TakeSamples).call(enlarged, samples, 'or', inputOf(shape))
}

/** What `boolean` takes besides what its type says: sharp sees 16 bits by the class of the array. */
type TakeSamples = (
  this: Sharp,
  samples: Samples,
  operator: 'or',
  options: ReturnType<typeof inputOf>,
) => Sharp

async function convert(pipeline: Sharp): Promise<Uint16Array> {
  return viewAs(await pipeline.toColourspace('rgb16').raw({ depth: 'ushort' }).toBuffer(), Uint16Array)
}

let builtIn: Promise<Uint8Array> | undefined

/** The sRGB profile that libvips has. */
function srgbProfile(): Promise<Uint8Array> {
  builtIn ??= sharp(new Uint8Array(3), inputOf({ width: 1, height: 1, channels: 3 }))
    .withIccProfile('srgb')
    .png()
    .toBuffer()
    .then((file) => sharp(file).metadata())
    .then(({ icc }) => {
      if (!icc) throw new Error('libvips embeds no sRGB profile')
      return icc
    })
  return builtIn
}

interface RasterInput {
  readonly raw: { readonly width: number; readonly height: number; readonly channels: 1 | 2 | 3 | 4 }
  /** What is in memory already is not limited again. */
  readonly limitInputPixels: false
}

function inputOf({ width, height, channels }: Shape): RasterInput {
  return { raw: { width, height, channels: channels as 1 | 2 | 3 | 4 }, limitInputPixels: false }
}

function spaceOf(samples: Samples, { channels }: Shape): 'grey16' | 'b-w' | 'rgb16' | 'srgb' {
  const is16Bit = samples instanceof Uint16Array
  if (channels < 3) return is16Bit ? 'grey16' : 'b-w'
  return is16Bit ? 'rgb16' : 'srgb'
}
