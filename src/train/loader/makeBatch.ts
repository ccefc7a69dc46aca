// One batch from its plan, the same wherever it is made: on a worker or in the main thread.

import type { Pixels } from '../../data/image.ts'
import type { ImageSource } from '../../data/sources/datasets.ts'
import { phaseAt, type Recipe } from '../recipe/recipe.ts'
import { decodeShared } from '../samples/images.ts'
import { type HostBatch, mix, stackSamples } from '../samples/samples.ts'
import { type PlannedBatch, streamOf } from './batchPlan.ts'

/** Decoded pictures, by view and position (`target 17`). */
export type Decoded = ReadonlyMap<string, Pixels>

export interface MadeBatch {
  readonly batch: HostBatch
  /** What had to be decoded for it. */
  readonly decoded: Decoded
}

/** Makes a batch; pictures that are `known` are not decoded again. */
export async function makeBatch(
  { data, seed }: Pick<Recipe, 'data' | 'seed'>,
  { step, number, firstSample, items }: PlannedBatch,
  { sources, known }: { readonly sources: Readonly<Record<string, ImageSource>>; readonly known: Decoded },
): Promise<MadeBatch> {
  const decoded = new Map<string, Pixels>()
  const open = async (view: string, source: ImageSource, index: number) => {
    const key = decodedKey(view, index)
    const pixels =
      known.get(key) ?? decoded.get(key) ?? (await decodeShared(source, index, data.images.channels))
    if (!known.has(key)) decoded.set(key, pixels)
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
  if (data.mixup && items.length > 1) mix(batch, data.mixup, shared.fork(2))
  return { batch, decoded }
}

export function decodedKey(view: string, index: number): string {
  return `${view} ${index}`
}
