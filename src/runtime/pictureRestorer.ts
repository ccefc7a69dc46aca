// What restorers of pictures in Node have in common, whether they run one network or several.

import { setMaxListeners } from 'node:events'
import type { Image } from '../data/image.ts'
import type { PartedImage } from '../data/parts.ts'
import type { License } from '../models/modelCard.ts'
import type { SerialQueue } from './jobs/serialQueue.ts'
import type { DecodedInput, RestoreInput } from './readInput.ts'
import type { RestoreResult } from './restoreResult.ts'
import { checkTarget, type RunPictureOptions, wrapResult } from './restorer.ts'
import { runSteps, type SteppedPlanes } from './steps.ts'
import type { PictureOptions } from './tiledRestoration.ts'

/** Restores pictures until it is closed; concurrent calls are queued. */
export interface PictureRestorer extends AsyncDisposable {
  /** Device in use: 'cpu', 'webgpu' or 'cuda:N'. */
  readonly device: string
  /** License of the weights, the strictest of several. */
  readonly license: License
  /** Output side divided by input side. */
  readonly scale: number
  /** Notes on the weights. */
  readonly notes: readonly string[]
  /** What decides about results beside the treatment of a picture. @internal */
  readonly identity: object
  run(input: RestoreInput, options?: RunPictureOptions): Promise<RestoreResult>
  /** Restores planes [c h w] for further processing, neither clamped nor rounded. */
  runPlanes(image: Image, options?: PictureOptions): Promise<Image>
  /** Like `run`, for an input that is already being read. @internal */
  runRead(
    reading: Promise<DecodedInput>,
    options: RunPictureOptions,
    source?: RestoreInput,
  ): Promise<RestoreResult>
  close(): Promise<void>
}

interface SteppedRun {
  readonly queue: SerialQueue
  readonly scale: number
  readonly options: RunPictureOptions
  read(): Promise<DecodedInput>
  restore(planes: PartedImage): Promise<SteppedPlanes>
}

/** Runs one picture through several steps. */
export function runInSteps({ scale, options, ...run }: SteppedRun): Promise<RestoreResult> {
  const { background, signal } = options
  const format = options.format?.toLowerCase()
  // Every picture in the queue listens, which is no leak.
  if (signal) setMaxListeners(0, signal)
  return runSteps({
    ...{ ...run, scale, options },
    check: (decoded) => checkTarget(decoded, scale, { format, background }),
    wrap: (restored, decoded, original) => wrapResult(restored, decoded, { ...options, format, original }),
  })
}
