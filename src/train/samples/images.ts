// Images of a recipe: where they are, and opening them identically on the main thread and on every worker.

import { join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { decodeBytes } from '../../data/decode.ts'
import type { Pixels } from '../../data/image.ts'
import { type CheckOptions, checkSources, type Rejected } from '../../data/sources/check.ts'
import { type ImageSource, openSource, type SourceSpec, specOf } from '../../data/sources/datasets.ts'
import { type Match, pairSources } from '../../data/sources/pairs.ts'
import { captionSpec, isCaptionFile } from './captions.ts'
import { checkCounts, isInEveryFolder, specOfEveryFolder } from './kindFolders.ts'

/** One or several views of the same images below a root: folders, lists, LMDB databases or tar shards. */
export interface Images {
  /** Folder that contains all views; `--data` replaces it. */
  readonly root: string
  /**
   * Path of each view, relative to the root: `{ target: '' }`, or `{ input: 'blurred', target: 'sharp' }`. A
   * path may start with a star for every folder below the root (kindFolders.ts), or name a caption file
   * (captions.ts).
   */
  readonly views: Readonly<Record<string, string>> & { readonly target: string }
  /** What the images of several views have in common. */
  readonly match: Match
  /** Channels of the network's input: 3 repeats gray images, 1 converts color to gray. */
  readonly channels: 1 | 3
  /** Size of a target over the size of its input. */
  readonly scale: number
}

type ImageOptions = Partial<Pick<Images, 'match' | 'channels' | 'scale'>>
const defaults = { match: 'path', channels: 3, scale: 1 } as const

/** Target images only; the recipe makes the inputs from them. */
export function folder(root: string, options: ImageOptions = {}): Images {
  return { ...defaults, ...options, root, views: { target: '' } }
}

/** Target images with their degraded inputs. */
export function pairFolders(root: string, views: Images['views'], options: ImageOptions = {}): Images {
  return { ...defaults, ...options, root, views }
}

/** Plain data from which a worker opens the same images in the same order. */
export type ImageSpecs = Readonly<Record<string, SourceSpec>>

export interface OpenImages {
  /** Views by name, all in the same order. */
  readonly sources: Readonly<Record<string, ImageSource>>
  readonly specs: ImageSpecs
  readonly names: readonly string[]
  /** Images that were left out. */
  readonly leftOut: readonly Rejected[]
  /** What becomes of images that turn out to be damaged when they are decoded. */
  readonly unusable: 'refuse' | 'skip'
  /** Width and height of the targets. */
  readonly sizes: readonly { readonly width: number; readonly height: number }[]
}

/**
 * Opens all views and checks every header.
 *
 * @throws RestoreError `input` if a pair does not match or, unless such images are skipped, a target is damaged
 * or smaller than `minimumPx`
 */
export async function openImages(
  { root, views, match, scale }: Images,
  { minimumPx = 1, unusable = 'refuse', onProgress }: Omit<CheckOptions, 'scale'> = {},
): Promise<OpenImages> {
  const names = ['target', ...Object.keys(views).filter((view) => view !== 'target')]
  const opened = await Promise.all(
    names.map(async (view) => {
      const spec = await specOfView(root, views[view] ?? '')
      return await openSource(spec.kind === 'shards' && names.length > 1 ? { ...spec, field: view } : spec)
    }),
  )
  const [target, ...others] = opened as [ImageSource, ...ImageSource[]]
  if (isInEveryFolder(views.target) && match === 'order')
    for (const other of others) checkCounts(namesOf(target), namesOf(other), root)
  const paired = others.length === 0 ? opened : pairSources(target, others, { match })
  const checked = await checkSources(paired as readonly [ImageSource, ...ImageSource[]], {
    minimumPx,
    scale,
    unusable,
    ...(onProgress ? { onProgress } : {}),
  })
  const sources = Object.fromEntries(names.map((view, i) => [view, checked.sources[i]!]))
  return {
    sources,
    specs: Object.fromEntries(Object.entries(sources).map(([view, { spec }]) => [view, spec])),
    names: namesOf(checked.sources[0]!),
    leftOut: checked.rejected,
    unusable,
    sizes: checked.sizes,
  }
}

async function specOfView(root: string, view: string): Promise<SourceSpec> {
  const path = join(root, view)
  if (isCaptionFile(path)) return captionSpec(path)
  return isInEveryFolder(view) ? await specOfEveryFolder(root, view) : await specOf(path)
}

function namesOf(source: ImageSource): readonly string[] {
  return Array.from({ length: source.length }, (_, i) => source.name(i))
}

/** Opens sources that have already been checked. */
export async function reopenImages(specs: ImageSpecs): Promise<Readonly<Record<string, ImageSource>>> {
  const opened = Object.entries(specs).map(async ([view, spec]) => [view, await openSource(spec)] as const)
  return Object.fromEntries(await Promise.all(opened))
}

/**
 * Decodes an image into memory shared between threads, without alpha; in gray for one channel.
 *
 * @returns the image, or why it is damaged if such images are skipped
 * @throws RestoreError `input` for a file that cannot be read, or a damaged one
 */
export async function decodeShared(
  source: ImageSource,
  index: number,
  { channels, unusable }: { readonly channels: 1 | 3; readonly unusable: OpenImages['unusable'] },
): Promise<Pixels | Rejected> {
  const name = source.name(index)
  // A file that cannot be read now may be readable later, so it is never skipped: a resumed training would differ.
  const bytes = await source.read(index)
  try {
    return toShared((await decodeBytes(bytes, { name, colors: 'srgb' })).pixels, channels)
  } catch (error) {
    if (!(error instanceof RestoreError && error.code === 'input')) throw error
    if (unusable === 'skip') return { name, reason: error.message }
    throw new RestoreError('input', `${error.message}; or leave out such images with --skip-unusable`, {
      cause: error,
    })
  }
}

function toShared(pixels: Pixels, channels: 1 | 3): Pixels {
  const { width, height, hasAlpha, data } = pixels
  const count = width * height
  const step = pixels.channels + (hasAlpha ? 1 : 0)
  const kept = Math.min(pixels.channels, channels)
  const memory = new SharedArrayBuffer(count * kept * data.BYTES_PER_ELEMENT)
  const samples = data instanceof Uint16Array ? new Uint16Array(memory) : new Uint8Array(memory)
  if (kept < pixels.channels) {
    for (let i = 0; i < count; i++) samples[i] = grayOf(data, i * step)
  } else if (step === kept) samples.set(data)
  else {
    for (let i = 0; i < count; i++)
      for (let c = 0; c < kept; c++) samples[i * kept + c] = data[i * step + c] ?? 0
  }
  return { width, height, channels: kept, hasAlpha: false, data: samples }
}

/** Gray value by OpenCV's fixed-point formula, with which the papers read their gray training images. */
function grayOf(data: Uint8Array | Uint16Array, at: number): number {
  const [r = 0, g = 0, b = 0] = [data[at], data[at + 1], data[at + 2]]
  return Math.floor((4899 * r + 9617 * g + 1868 * b + 8192) / 16384)
}
