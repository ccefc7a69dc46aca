// Which network is run on pictures, and how: what restore and eval have in common.

import type { RestorerOptions, RunPictureOptions } from '../../runtime/restorer.ts'
import type { NetworkCommandOptions } from '../commands/options.ts'

/** The network to open. */
export function requestOf(options: NetworkCommandOptions): RestorerOptions {
  const {
    model,
    weights,
    tensors,
    guide,
    mix,
    task,
    prefer,
    scale,
    maxSigma,
    steps,
    sampler,
    samples,
    noise,
    device,
    backend,
    dtype,
    threads,
  } = options
  return {
    model,
    weights,
    tensors,
    guide,
    mix,
    task,
    prefer,
    scale,
    maxSigma,
    // Checked before anything is read.
    steps,
    sampler,
    samples,
    noise,
    device,
    backend,
    dtype,
    threads,
    options: options.options ?? {},
  }
}

/** How it is run on every picture. */
export function runOf(options: NetworkCommandOptions & { readonly seed?: number | undefined }) {
  const { tile, overlap, blend, selfEnsemble = false, sampler, steps, seed, samples, noise } = options
  return {
    tile,
    overlap,
    blend,
    selfEnsemble,
    sampler,
    steps,
    seed,
    samples,
    noise,
  } satisfies RunPictureOptions
}
