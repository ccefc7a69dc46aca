// Checks the header of every image before training or evaluation starts, and reports unusable images by name.

import { RestoreError } from '../../core/errors.ts'
import type { ImageSize } from '../decode.ts'
import { type ImageSource, some, subset } from './datasets.ts'

export interface CheckOptions {
  /** Minimum side of the first source's images in pixels, such as the crop size. @default 1 */
  readonly minimumPx?: number
  /** Size ratio of the first source's images to their partners. @default 1 */
  readonly scale?: number
  /** Whether unusable images are an error or dropped from all sources. @default 'refuse' */
  readonly unusable?: 'refuse' | 'skip'
  readonly onProgress?: (done: number, total: number) => void
}

/** An image that cannot be used. */
export interface Rejected {
  readonly name: string
  readonly reason: string
}

/** An image and why it cannot be used. */
export function describeRejected({ name, reason }: Rejected): string {
  return reason.startsWith(name) ? reason : `${name} (${reason})`
}

export interface Checked {
  /** The sources without unusable images. */
  readonly sources: readonly ImageSource[]
  /** Sizes of the first source's remaining images. */
  readonly sizes: readonly ImageSize[]
  readonly rejected: readonly Rejected[]
}

/** Headers to read concurrently. */
const concurrency = 8

/**
 * Checks that images are readable and large enough, and that paired sources (targets first) match in size.
 */
export async function checkSources(
  sources: readonly [ImageSource, ...ImageSource[]],
  { minimumPx = 1, scale = 1, unusable = 'refuse', onProgress }: CheckOptions = {},
): Promise<Checked> {
  const [first, ...others] = sources
  const total = first.length
  const results: (ImageSize | Rejected)[] = new Array(total)
  let next = 0
  let done = 0
  const checkNext = async (): Promise<void> => {
    while (next < total) {
      const i = next++
      results[i] = await checkImage(first, others, i, { minimumPx, scale })
      onProgress?.(++done, total)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, checkNext))
  const rejected = results.filter((image) => 'reason' in image)
  if (rejected.length > 0 && unusable === 'refuse') {
    const listed = some(rejected.map(describeRejected))
    throw new RestoreError(
      'input',
      `images: expected all ${total} to be usable, ${rejected.length} are not: ${listed}; fix them, or leave them out with --skip-unusable`,
    )
  }
  const kept = results.flatMap((image, i) => ('reason' in image ? [] : [i]))
  if (kept.length === 0) {
    const listed = some(rejected.map(describeRejected))
    throw new RestoreError(
      'input',
      `images: expected at least one usable image, got none of ${total}: ${listed}`,
    )
  }
  return {
    sources: rejected.length === 0 ? sources : sources.map((source) => subset(source, kept)),
    sizes: kept.map((i) => results[i] as ImageSize),
    rejected,
  }
}

async function checkImage(
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
    // Among several views, the path tells which one it is.
    return { name, reason: others.length > 0 ? error.message : error.message.split(`${name}: `).at(-1)! }
  }
}
