// One batch from its plan, the same wherever it is made: on a worker or in the main thread.

import type { Recipe } from '../recipe.ts'
import { phaseAt } from '../recipe.ts'
import { type Bitmap, decodeBitmap, type ImageItem } from './images.ts'
import { type PlannedBatch, streamOf } from './plan.ts'
import { type HostBatch, mix, stackSamples } from './samples.ts'

/** What is decoded already, by file. */
export type Decoded = ReadonlyMap<string, Bitmap>

export interface MadeBatch {
  readonly batch: HostBatch
  /** What had to be decoded for it. */
  readonly decoded: Decoded
}

export async function makeBatch(
  { data, seed }: Pick<Recipe, 'data' | 'seed'>,
  plan: PlannedBatch & { readonly images: readonly ImageItem[] },
  known: Decoded,
): Promise<MadeBatch> {
  const decoded = new Map<string, Bitmap>()
  const open = async (file: string) => {
    const bitmap = known.get(file) ?? decoded.get(file) ?? (await decodeBitmap(file, data.images.channels))
    if (!known.has(file)) decoded.set(file, bitmap)
    return bitmap
  }
  const { step, number, firstSample, images } = plan
  const phase = phaseAt(data.phases, step)
  const shared = streamOf(seed, 'batches').fork(number)
  const samples = []
  for (const [i, item] of images.entries()) {
    const bitmaps: Record<string, Bitmap> = {}
    for (const [view, file] of Object.entries(item.files)) bitmaps[view] = await open(file)
    const random = streamOf(seed, 'samples').fork(firstSample + i)
    samples.push(data.sample({ item, bitmaps, phase, step, random, shared }))
  }
  const batch = stackSamples(samples)
  if (data.mixup && images.length > 1) mix(batch, data.mixup, shared.fork(2))
  return { batch, decoded }
}
