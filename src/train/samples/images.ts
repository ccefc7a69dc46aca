// The images of a recipe: where they are, opened the same way in the main thread and on every worker.

import { join } from 'node:path'
import { decodeBytes } from '../../data/codec.ts'
import type { Pixels } from '../../data/image.ts'
import { checkSources } from '../../data/sources/check.ts'
import { type ImageSource, openSource, type SourceSpec, specOf } from '../../data/sources/datasets.ts'
import { type Match, pairSources } from '../../data/sources/pairs.ts'
import { captionSpec, isCaptionFile } from './captions.ts'
import { checkCounts, isInEveryFolder, specOfEveryFolder } from './kindFolders.ts'

/** Pictures in one or several versions below a root: folders, lists, LMDB databases or tar shards. */
export interface Images {
  /** What `--data` replaces. */
  readonly root: string
  /**
   * Path of each version, relative to the root: `{ target: '' }`, or `{ input: 'blurred', target: 'sharp' }`; a folder in every
   * folder below the root; or a caption file (captions.ts).
   */
  readonly views: Readonly<Record<string, string>> & { readonly target: string }
  readonly match: Match
  /** What the network takes: gray pictures fill three channels, colored ones become gray for one. */
  readonly channels: 1 | 3
  /** How many times as large a target is as its input. */
  readonly scale: number
}

type Choices = Partial<Pick<Images, 'match' | 'channels' | 'scale'>>
const usual = { match: 'path', channels: 3, scale: 1 } as const

/** Pictures that are what the network should give; the recipe makes its input from them. */
export function folder(root: string, choices: Choices = {}): Images {
  return { ...usual, ...choices, root, views: { target: '' } }
}

/** Pictures that come with their damaged versions. */
export function pairFolders(root: string, views: Images['views'], choices: Choices = {}): Images {
  return { ...usual, ...choices, root, views }
}

/** Plain data from which a worker opens the same images in the same order. */
export type ImageSpecs = Readonly<Record<string, SourceSpec>>

export interface OpenImages {
  /** The versions, their pictures in the same order. */
  readonly sources: Readonly<Record<string, ImageSource>>
  readonly specs: ImageSpecs
  readonly names: readonly string[]
  /** Width and height of the targets. */
  readonly sizes: readonly { readonly width: number; readonly height: number }[]
}

/** Opens all versions and checks every header: pairs must match, and no target be smaller than `minimumPx`. */
export async function openImages(
  { root, views, match, scale }: Images,
  {
    minimumPx = 1,
    onProgress,
  }: { minimumPx?: number; onProgress?: (done: number, total: number) => void } = {},
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
  const { sizes } = await checkSources(paired as readonly [ImageSource, ...ImageSource[]], {
    minimumPx,
    scale,
    ...(onProgress ? { onProgress } : {}),
  })
  const sources = Object.fromEntries(names.map((view, i) => [view, paired[i] as ImageSource]))
  return {
    sources,
    specs: Object.fromEntries(Object.entries(sources).map(([view, { spec }]) => [view, spec])),
    names: namesOf(paired[0] as ImageSource),
    sizes,
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

/** Opens sources that have been checked. */
export async function reopenImages(specs: ImageSpecs): Promise<Readonly<Record<string, ImageSource>>> {
  const opened = Object.entries(specs).map(async ([view, spec]) => [view, await openSource(spec)] as const)
  return Object.fromEntries(await Promise.all(opened))
}

/** Decodes a picture into memory that threads share, without its opacity; for one channel color becomes gray. */
export async function decodeShared(source: ImageSource, index: number, channels: 1 | 3): Promise<Pixels> {
  const { pixels } = await decodeBytes(await source.read(index), { name: source.name(index) })
  const { width, height, hasAlpha, data } = pixels
  const [count, step] = [width * height, pixels.channels + (hasAlpha ? 1 : 0)]
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

/** As OpenCV reads a colored file in gray, which is how the papers made their gray training images. */
function grayOf(data: Uint8Array | Uint16Array, at: number): number {
  const [r = 0, g = 0, b = 0] = [data[at], data[at + 1], data[at + 2]]
  return Math.floor((4899 * r + 9617 * g + 1868 * b + 8192) / 16384)
}
