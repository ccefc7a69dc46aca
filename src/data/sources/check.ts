// Looks at the header of every image before a training or evaluation starts, so that what cannot be used is known by name.

import { RestoreError } from '../../core/errors.ts'
import type { ImageSize } from '../codec.ts'
import { type ImageSource, some, subset } from './datasets.ts'

export interface CheckOptions {
  /** Shortest side that the first source's images may have, such as the size of the crops. */
  readonly minimumPx?: number
  /** How many times as large the first source's images are as their partners. */
  readonly scale?: number
  /** Whether images that cannot be used are an error or left out of all sources. */
  readonly unusable?: 'refuse' | 'skip'
  readonly onProgress?: (done: number, total: number) => void
}

export interface Rejected {
  readonly name: string
  readonly reason: string
}

export interface Checked {
  /** The sources without what cannot be used. */
  readonly sources: readonly ImageSource[]
  /** Of the first source's images that are left. */
  readonly sizes: readonly ImageSize[]
  readonly rejected: readonly Rejected[]
}

/** Headers read at once. */
const atOnce = 8

/** Checks a source, or sources whose images are partners (first the targets): readable, large enough and of matching sizes. */
export async function checkSources(
  sources: readonly [ImageSource, ...ImageSource[]],
  { minimumPx = 1, scale = 1, unusable = 'refuse', onProgress }: CheckOptions = {},
): Promise<Checked> {
  const [first, ...others] = sources
  const total = first.length
  const found: (ImageSize | Rejected)[] = new Array(total)
  let next = 0
  let done = 0
  const work = async (): Promise<void> => {
    while (next < total) {
      const i = next++
      found[i] = await look(first, others, i, { minimumPx, scale })
      onProgress?.(++done, total)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  const rejected = found.filter((image) => 'reason' in image)
  if (rejected.length > 0 && unusable === 'refuse') {
    const listed = some(rejected.map(({ name, reason }) => `${name} (${reason})`))
    throw new RestoreError(
      'input',
      `images: expected all ${total} to be usable, ${rejected.length} are not: ${listed}; mend them, or skip them`,
    )
  }
  const kept = found.flatMap((image, i) => ('reason' in image ? [] : [i]))
  if (kept.length === 0) {
    const listed = some(rejected.map(({ name, reason }) => `${name} (${reason})`))
    throw new RestoreError(
      'input',
      `images: expected at least one that is usable, none of ${total} is: ${listed}`,
    )
  }
  return {
    sources: rejected.length === 0 ? sources : sources.map((source) => subset(source, kept)),
    sizes: kept.map((i) => found[i] as ImageSize),
    rejected,
  }
}

async function look(
  first: ImageSource,
  others: readonly ImageSource[],
  index: number,
  { minimumPx, scale }: { readonly minimumPx: number; readonly scale: number },
): Promise<ImageSize | Rejected> {
  const name = first.name(index)
  try {
    const size = await first.size(index)
    const { width, height } = size
    if (Math.min(width, height) < minimumPx)
      return { name, reason: `${width} × ${height}, below ${minimumPx} pixels` }
    for (const other of others) {
      const partner = await other.size(index)
      if (partner.width * scale !== width || partner.height * scale !== height) {
        const factor = scale === 1 ? 'the same' : `1/${scale} of it`
        return {
          name,
          reason: `${width} × ${height}, its partner ${partner.width} × ${partner.height}, not ${factor}`,
        }
      }
    }
    return size
  } catch (error) {
    if (!(error instanceof RestoreError)) throw error
    return { name, reason: error.message }
  }
}
