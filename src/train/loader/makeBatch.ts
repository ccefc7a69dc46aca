// Makes one batch from its plan, identically on a worker and on the main thread.

import { RestoreError } from '../../core/errors.ts'
import type { Pixels } from '../../data/image.ts'
import type { Rejected } from '../../data/sources/check.ts'
import type { ImageSource } from '../../data/sources/datasets.ts'
import { phaseAt, type Recipe } from '../recipe/recipe.ts'
import { decodeShared, type OpenImages } from '../samples/images.ts'
import { applyMixup, type HostBatch, stackSamples } from '../samples/samples.ts'
import { type PlannedBatch, streamOf } from './batchPlan.ts'

/** Decoded images by view and index (`target 17`). */
export type DecodedImages = ReadonlyMap<string, Pixels>

export interface MadeBatch {
  readonly batch: HostBatch
  /** Images that were decoded for this batch. */
  readonly decoded: DecodedImages
  /** Images that turned out to be damaged. */
  readonly leftOut: readonly Rejected[]
}

/** What batches are made from. */
export interface BatchImages extends Pick<OpenImages, 'sources' | 'unusable'> {
  readonly cached: DecodedImages
  /** Indices of damaged images, so that none is decoded twice; those found are added. */
  readonly damaged: Set<number>
}

/** Makes a batch; does not decode images that are in `cached`. */
export async function makeBatch(
  { data, seed }: Pick<Recipe, 'data' | 'seed'>,
  { step, number, firstSample, items }: PlannedBatch,
  images: BatchImages,
): Promise<MadeBatch> {
  const decoded = new Map<string, Pixels>()
  const leftOut: Rejected[] = []
  const phase = phaseAt(data.phases, step)
  const shared = streamOf(seed, 'batches').fork(number)
  const samples = []
  for (const [i, item] of items.entries()) {
    const { index, views } = await openUsable(item, images, {
      channels: data.images.channels,
      decoded,
      leftOut,
    })
    const random = streamOf(seed, 'samples').fork(firstSample + i)
    const listed = listedIndex(images.sources.target, index)
    const name = images.sources.target?.name(index) ?? ''
    samples.push(data.sample({ index: listed, name, views, data, phase, step, random, shared }))
  }
  const batch = stackSamples(samples)
  if (data.mixup && items.length > 1) applyMixup(batch, data.mixup, shared.fork(2))
  return { batch, decoded, leftOut }
}

interface Opening {
  readonly channels: 1 | 3
  /** Receives images that were decoded, and those that turned out to be damaged. */
  readonly decoded: Map<string, Pixels>
  readonly leftOut: Rejected[]
}

/**
 * Opens all views of an image. A damaged one is replaced by the next in the list, so that batches depend on seed,
 * step and files alone.
 */
async function openUsable(
  item: number,
  { sources, unusable, cached, damaged }: BatchImages,
  { channels, decoded, leftOut }: Opening,
): Promise<{ readonly index: number; readonly views: Readonly<Record<string, Pixels>> }> {
  const count = sources.target?.length ?? 0
  for (let i = 0; i < count; i++) {
    const index = (item + i) % count
    if (damaged.has(index)) continue
    const opened = await Promise.all(
      Object.entries(sources).map(async ([view, source]) => {
        const key = decodedKey(view, index)
        const known = cached.get(key) ?? decoded.get(key)
        return [key, view, known ?? (await decodeShared(source, index, { channels, unusable }))] as const
      }),
    )
    const views: Record<string, Pixels> = {}
    let rejected: Rejected | undefined
    for (const [key, view, image] of opened) {
      if ('reason' in image) rejected = image
      else {
        views[view] = image
        if (!cached.has(key)) decoded.set(key, image)
      }
    }
    if (!rejected) return { index, views }
    damaged.add(index)
    leftOut.push(rejected)
  }
  throw new RestoreError('input', `images: expected at least one usable image, got none of ${count}`)
}

/** Index in the list of images from which unusable ones have been left out. */
function listedIndex(source: ImageSource | undefined, index: number): number {
  return source?.spec.kind === 'subset' ? source.spec.indices[index]! : index
}

/** Key of a view of an image in {@link DecodedImages}. */
export function decodedKey(view: string, index: number): string {
  return `${view} ${index}`
}
