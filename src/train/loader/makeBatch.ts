// Makes one batch from its plan, identically on a worker and on the main thread.

import type { Pixels } from '../../data/image.ts'
import type { ImageSource } from '../../data/sources/datasets.ts'
import { phaseAt, type Recipe } from '../recipe/recipe.ts'
import { decodeShared } from '../samples/images.ts'
import { applyMixup, type HostBatch, stackSamples } from '../samples/samples.ts'
import { type PlannedBatch, streamOf } from './batchPlan.ts'

/** Decoded images by view and index (`target 17`). */
export type DecodedImages = ReadonlyMap<string, Pixels>

export interface MadeBatch {
  readonly batch: HostBatch
  /** Images that were decoded for this batch. */
  readonly decoded: DecodedImages
}

/** Makes a batch; does not decode images that are in `cached`. */
export async function makeBatch(
  { data, seed }: Pick<Recipe, 'data' | 'seed'>,
  { step, number, firstSample, items }: PlannedBatch,
  {
    sources,
    cached,
  }: { readonly sources: Readonly<Record<string, ImageSource>>; readonly cached: DecodedImages },
): Promise<MadeBatch> {
  const decoded = new Map<string, Pixels>()
  const open = async (view: string, source: ImageSource, index: number) => {
    const key = decodedKey(view, index)
    const pixels =
      cached.get(key) ?? decoded.get(key) ?? (await decodeShared(source, index, data.images.channels))
    if (!cached.has(key)) decoded.set(key, pixels)
    return [view, pixels] as const
  }
  const phase = phaseAt(data.phases, step)
  const shared = streamOf(seed, 'batches').fork(number)
  const samples = []
  for (const [i, index] of items.entries()) {
    const opened = Object.entries(sources).map(([view, source]) => open(view, source, index))
    const views = Object.fromEntries(await Promise.all(opened))
    const random = streamOf(seed, 'samples').fork(firstSample + i)
    const name = sources.target?.name(index) ?? ''
    samples.push(data.sample({ index, name, views, data, phase, step, random, shared }))
  }
  const batch = stackSamples(samples)
  if (data.mixup && items.length > 1) applyMixup(batch, data.mixup, shared.fork(2))
  return { batch, decoded }
}

/** Key of a view of an image in {@link DecodedImages}. */
export function decodedKey(view: string, index: number): string {
  return `${view} ${index}`
}
