// Which network is run on pictures, and how: what restore and eval have in common.

import { RestoreError } from '../../core/errors.ts'
import type { Sampler } from '../../diffusion/irsde.ts'
import type { RestorerOptions, RunPictureOptions } from '../../runtime/restorer.ts'
import { parseObject, parseWhole } from '../shell.ts'
import type { BackendOptions } from './backends.ts'

export interface NetworkOptions extends BackendOptions {
  readonly model?: string
  readonly weights?: string
  readonly task?: string
  readonly scale?: string
  readonly options?: string
  readonly guide?: string
  readonly maxSigma?: string
  readonly steps?: string
  readonly sampler?: Sampler
  readonly seed?: string
  readonly samples?: string
  readonly noise?: string
  readonly tile: string
  readonly overlap?: string
  readonly blend: 'smooth' | 'official'
  readonly selfEnsemble?: boolean
  readonly threads?: string
}

/** The network to open. */
export function requestOf(options: NetworkOptions): RestorerOptions {
  const { model, weights, guide, task, scale, device, backend, threads, maxSigma } = options
  return {
    ...{ model, weights, guide, task, device, backend },
    scale: wholeOf('--scale', scale, 1),
    maxSigma: maxSigma === undefined ? undefined : parseNumber('--max-sigma', maxSigma, [1, 255]),
    options: parseObject('--options', options.options),
    threads: wholeOf('--threads', threads, 1),
  }
}

/** How it is run on every picture. */
export function runOf(options: NetworkOptions) {
  const { tile, overlap, blend, selfEnsemble = false, steps, sampler, seed, samples, noise } = options
  return {
    tile: tile === 'auto' || tile === 'none' ? tile : parseWhole('--tile', tile, 8),
    overlap: wholeOf('--overlap', overlap, 0),
    ...{ blend, selfEnsemble, sampler },
    steps: wholeOf('--steps', steps, 1),
    seed: wholeOf('--seed', seed, 0),
    samples: wholeOf('--samples', samples, 1),
    noise255: noise === undefined ? undefined : parseNumber('--noise', noise, [0, 255]),
  } satisfies RunPictureOptions
}

function wholeOf(option: string, text: string | undefined, minimum: number): number | undefined {
  return text === undefined ? undefined : parseWhole(option, text, minimum)
}

export function parseNumber(option: string, text: string, [least, most]: readonly [number, number]): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= least && value <= most) return value
  throw new RestoreError('usage', `${option}: expected a number from ${least} to ${most}, got ${text}`)
}
