// Wraps samples in memory as sharp pipelines with their color profile.

import type { Sharp } from 'sharp'
import { viewAs } from '../core/data.ts'
import { type CarrierOptions, carrierPng } from './carrierPng.ts'
import { sharp } from './sharp.ts'

type Samples = Uint8Array | Uint16Array

export interface Shape {
  readonly width: number
  readonly height: number
  /** Channels, alpha included. */
  readonly channels: number
}

/** Creates a pipeline that outputs the samples [h w c] unconverted, with their profile. */
export function rasterOf(samples: Samples, shape: Shape, icc: Uint8Array | undefined): Sharp {
  if (!icc) return sharp(samples, rasterInput(shape)).toColourspace(colourspaceOf(samples, shape))
  const depth = samples instanceof Uint16Array ? 16 : 8
  return attachToCarrier(samples, shape, { channels: shape.channels, depth, icc }).keepIccProfile()
}

/** Converts RGB samples [h w 3] from a profile to sRGB with libvips. */
export async function convertByProfile(
  samples: Uint16Array,
  { width, height }: Omit<Shape, 'channels'>,
  icc: Uint8Array,
): Promise<Uint16Array> {
  const pipeline = attachToCarrier(samples, { width, height, channels: 3 }, { channels: 3, depth: 16, icc })
  const converted = pipeline.withIccProfile('srgb').toColourspace('rgb16').raw({ depth: 'ushort' })
  return viewAs(await converted.toBuffer(), Uint16Array)
}

/** Whether libpng, which every profile passes through, embeds a profile unchanged. */
export async function isEmbeddable(icc: Uint8Array, channels: 1 | 3): Promise<boolean> {
  const carrier = carrierPng({ channels, depth: 8, icc })
  const { icc: embedded } = await sharp(carrier, { failOn: 'none' }).metadata()
  return embedded?.equals(icc) === true
}

/** Enlarges the carrier PNG and ORs the samples into it, which is exact and keeps the carrier's profile. */
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
