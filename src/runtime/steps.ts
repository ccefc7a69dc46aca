// Restores a picture in several steps, in Node and in browsers: it is read, goes through all networks as planes, and is
// wrapped.

import { RestoreError } from '../core/errors.ts'
import type { Image } from '../data/image.ts'
import type { Extent, PartedImage } from '../data/parts.ts'
import type { License } from '../models/modelCard.ts'
import { type OnProgress, progressOf } from './jobs/progress.ts'
import { checkAborted, type SerialQueue } from './jobs/serialQueue.ts'
import type { DecodedPicture, RestoreInfo, StepInfo } from './pictures/pictureTypes.ts'
import { pictureOfPlanes, planesOfPicture } from './pictures/planePicture.ts'
import type { RestoredPicture, RestorerCore } from './restorerCore.ts'
import { type PictureOptions, pictureRules } from './tiledRestoration.ts'

/** An open network that runs steps. */
export type StepModel = Pick<RestorerCore, 'runStep' | 'facts' | 'license' | 'close'>

/** Planes that went through all steps. */
export interface SteppedPlanes {
  readonly image: Image | PartedImage
  readonly steps: readonly StepInfo[]
  /** Facts about the last network. */
  readonly facts: StepModel['facts']
  /** What else the result reports. */
  readonly extra?: Partial<RestoreInfo>
  /** Bytes of the input's file, if nothing changed the picture. */
  readonly original?: Uint8Array | undefined
}

/** One picture's way through several steps, as a platform reads and wraps it. */
export interface SteppedRun<Read extends DecodedPicture, Result> {
  readonly queue: SerialQueue
  readonly scale: number
  readonly options: PictureOptions
  read(): Promise<Read>
  /** Refuses a picture before it is restored. */
  check?(read: Read): void
  restore(planes: PartedImage): Promise<SteppedPlanes>
  wrap(restored: RestoredPicture, read: Read, original: Uint8Array | undefined): Result | Promise<Result>
}

/** Runs one picture through several steps. */
export function runSteps<Read extends DecodedPicture, Result>({
  queue,
  scale,
  options: { signal, onProgress },
  ...run
}: SteppedRun<Read, Result>): Promise<Result> {
  return queue.run(async () => {
    const started = performance.now()
    onProgress?.({ phase: 'read', done: 0, total: 1 })
    const decoded = await run.read()
    run.check?.(decoded)
    checkAborted(signal)
    const readAt = performance.now()
    const { image, steps, facts, extra, original } = await run.restore(planesOfPicture(decoded))
    const dithers = steps.some(({ task }) => task === 'dehaze' || task === 'low-light' || task === 'tone')
    const pixels = pictureOfPlanes(image, decoded, { scale, dithers })
    const seconds = { read: (readAt - started) / 1000, restore: (performance.now() - readAt) / 1000 }
    const info: RestoreInfo = {
      ...facts,
      model: steps.length === 0 ? facts.model : steps.map(({ model }) => model).join(' + '),
      width: pixels.width,
      height: pixels.height,
      scale,
      tiles: {
        count: steps.reduce((sum, { tiles }) => sum + tiles.count, 0),
        px: steps.at(-1)?.tiles.px,
      },
      seconds,
      notes: decoded.notes ?? [],
      steps,
      ...extra,
    }
    return run.wrap({ pixels, samples: [], spread: undefined, notes: [], info }, decoded, original)
  }, signal)
}

/** Runs a step on planes and describes it. */
export async function runStep(
  restorer: Pick<StepModel, 'runStep' | 'facts'>,
  image: Image | PartedImage,
  { task, ...options }: PictureOptions & { readonly task: string },
): Promise<{ readonly image: Image; readonly step: StepInfo }> {
  const started = performance.now()
  const { image: restored, tiles } = await restorer.runStep(image, options)
  const { model, version, sha256 = '', dtype } = restorer.facts
  const seconds = (performance.now() - started) / 1000
  return {
    image: restored,
    step: { task, model, version, sha256, dtype, strength: options.strength ?? 1, tiles, seconds },
  }
}

/** Runs planes through one network after another. */
export async function runAll(
  restorers: readonly StepModel[],
  planes: Image | PartedImage,
  { tasks, options }: { readonly tasks: readonly string[]; readonly options: PictureOptions },
): Promise<SteppedPlanes> {
  let image = planes
  const steps: StepInfo[] = []
  const progress = progressOfSteps(options, planes, restorers.length)
  for (const [i, restorer] of restorers.entries()) {
    const running = { ...pictureOptionsOf(options), onProgress: progress(i), task: tasks[i]! }
    const done = await runStep(restorer, image, running)
    image = done.image
    steps.push(done.step)
  }
  return { image, steps, facts: restorers.at(-1)!.facts }
}

/** Reports the progress of each of `count` steps as a part of all. */
export function progressOfSteps(
  { onProgress }: PictureOptions,
  { width, height }: Extent,
  count: number,
): (index: number) => OnProgress {
  const report = progressOf('restore', onProgress, width * height)
  return (index) =>
    ({ done, total, sampling }) =>
      report(index * total + done, count * total, sampling)
}

/** The strictest license; an unknown one is stricter than one that allows commercial use. */
export function strictestLicense(restorers: readonly Pick<StepModel, 'license'>[]): License {
  const licenses = restorers.map(({ license }) => license)
  const first = (wanted: boolean | undefined) => licenses.find(({ isCommercial }) => isCommercial === wanted)
  return first(false) ?? first(undefined) ?? licenses[0]!
}

/** Options of a step: those of the picture without those of its file. */
export function pictureOptionsOf(options: PictureOptions): PictureOptions {
  const known = Object.entries(options).filter(([name]) => Object.hasOwn(pictureRules, name))
  return Object.fromEntries(known)
}

/** Refuses what makes several results, or more than colors, of a picture. */
export function refuseForSteps({ samples = 1, opacity }: PictureOptions): void {
  if (samples > 1)
    throw new RestoreError(
      'usage',
      `samples: expected one task, got several, and samples ${samples}; leave it out`,
    )
  if (opacity === 'restore')
    throw new RestoreError('usage', 'opacity: expected keep for several tasks, got restore; leave it out')
}
