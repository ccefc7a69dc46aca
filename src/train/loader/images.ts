// Where training images are: a folder, or folders that match file by file; decoded ones are kept as the bytes they had.

import { readdirSync } from 'node:fs'
import { extname, join, relative } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { decodeBytes } from '../../data/codec.ts'
import type { Image } from '../../data/image.ts'

/** Folders below a root that hold the same pictures in several versions, matched by sorted order. */
export interface ImageSource {
  readonly root: string
  /** Folder of each version, relative to the root: `{ target: '' }`, or `{ input: 'blurred', target: 'sharp' }`. */
  readonly views: Readonly<Record<string, string>>
  readonly channels: 1 | 3
}

export interface ImageItem {
  /** Path relative to the first view's folder. */
  readonly name: string
  /** File of each view. */
  readonly files: Readonly<Record<string, string>>
}

/** Pictures that are what the network should give; the recipe makes its input from them. */
export function folder(root: string, { channels = 3 }: { readonly channels?: 1 | 3 } = {}): ImageSource {
  return { root, views: { target: '' }, channels }
}

/** Pictures that come with their damaged versions. */
export function pairFolders(
  root: string,
  views: { readonly input: string; readonly target: string } & Readonly<Record<string, string>>,
  { channels = 3 }: { readonly channels?: 1 | 3 } = {},
): ImageSource {
  return { root, views, channels }
}

const extensions = new Set(['.png', '.jpg', '.jpeg', '.webp', '.tif', '.tiff', '.avif', '.bmp', '.gif'])

/** All pictures of a source; refuses a folder that is missing or empty, and versions that do not match. */
export function listImages({ root, views }: ImageSource): readonly ImageItem[] {
  const lists = Object.entries(views).map(([view, sub]) => {
    const base = join(root, sub)
    const names = walk(base).sort()
    if (names.length > 0) return { view, base, names }
    throw new RestoreError(
      'input',
      `${base}: expected images (${[...extensions].map((e) => e.slice(1)).join(', ')}), found none; name their folder with --data`,
    )
  })
  const [first, ...others] = lists
  if (!first) throw new RestoreError('usage', 'images: expected at least one view, got none')
  for (const other of others) {
    if (other.names.length !== first.names.length) {
      throw new RestoreError(
        'input',
        `${other.base}: expected as many images as ${first.base} has, ${first.names.length}, got ${other.names.length}; one must match the other`,
      )
    }
  }
  return first.names.map((name, i) => ({
    name,
    files: Object.fromEntries(lists.map(({ view, base, names }) => [view, join(base, names[i] ?? '')])),
  }))
}

function walk(base: string): string[] {
  try {
    return readdirSync(base, { withFileTypes: true, recursive: true }).flatMap((entry) => {
      if (!extensions.has(extname(entry.name).toLowerCase())) return []
      return [relative(base, join(entry.parentPath, entry.name))]
    })
  } catch (error) {
    throw new RestoreError(
      'input',
      `${base}: expected a folder of images, which cannot be read; see --data`,
      {
        cause: error,
      },
    )
  }
}

/** A decoded picture in shared memory, as the 8 or 16 bits it had: [h w c]. */
export interface Bitmap {
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly samples: Uint8Array | Uint16Array
}

/** Decodes a file for the number of channels wanted; opacity is dropped. */
export async function decodeBitmap(file: string, channels: 1 | 3): Promise<Bitmap> {
  const { width, height, channels: found, hasAlpha, data } = (await decodeBytes(file)).pixels
  if (channels < found) {
    throw new RestoreError(
      'input',
      `${file}: expected a grey image, got a coloured one; convert it, or train on colour`,
    )
  }
  const count = width * height
  const size = channels * count
  const samples =
    data instanceof Uint16Array
      ? new Uint16Array(new SharedArrayBuffer(2 * size))
      : new Uint8Array(new SharedArrayBuffer(size))
  const step = found + (hasAlpha ? 1 : 0)
  if (step === channels) samples.set(data)
  else {
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < channels; c++) samples[i * channels + c] = data[i * step + (c % found)] as number
    }
  }
  return { width, height, channels, samples }
}

const unit = Float32Array.from({ length: 256 }, (_, value) => value / 255)

/** A window of a picture as planes; beyond the right and bottom edge the picture is mirrored, the edge itself repeated. */
export function cutBitmap(
  { width, height, channels, samples }: Bitmap,
  { top, left, side }: { readonly top: number; readonly left: number; readonly side: number },
): Image {
  const isDeep = samples instanceof Uint16Array
  const data = new Float32Array(channels * side * side)
  for (let y = 0; y < side; y++) {
    const row = mirror(top + y, height) * width
    for (let x = 0; x < side; x++) {
      const from = (row + mirror(left + x, width)) * channels
      for (let c = 0; c < channels; c++) {
        const value = samples[from + c] as number
        data[(c * side + y) * side + x] = isDeep ? value / 65535 : (unit[value] as number)
      }
    }
  }
  return { width: side, height: side, channels, data }
}

function mirror(at: number, size: number): number {
  if (at < size) return at
  const folded = at % (2 * size)
  return folded < size ? folded : 2 * size - 1 - folded
}
