// Opens a weights file of any supported format, recognized by its content. Also runs in browsers.

import { dtypeBytes } from '../core/data.ts'
import { type ByteSource, type Checkpoint, malformed, type StoredTensor, within } from './checkpoint.ts'
import { selectKeys } from './keySets.ts'
import { isOnnx } from './onnx.ts'
import { isLegacy, readLegacy, readTorchZip, type SavedObject } from './pth.ts'
import { readSafetensors } from './safetensors.ts'
import { findTensors } from './stateDict.ts'
import { safeProduct, storedTensor } from './tensorViews.ts'

/** Options of opening a checkpoint. */
export interface OpenOptions {
  /**
   * Where the tensors are, as keys of dictionaries and the beginning of keys, joined by dots: `params`,
   * `state_dict.generator`. @default averaged weights (`params_ema`, `g_ema`, …), else those under well-known keys
   */
  readonly tensors?: string | undefined
  /** Every tensor of the file under its full key, as in the state of a training. @default false */
  readonly isWhole?: boolean | undefined
}

/** Opens a checkpoint; errors of it and of its tensors name the file. */
export function openCheckpoint(source: ByteSource, options: OpenOptions = {}): Checkpoint {
  return within(source.name, () => {
    const { rest, ...checkpoint } = readContainer(source, options.tensors)
    const all = { prefix: '', tensors: checkpoint.tensors, others: [] }
    const parents = checkpoint.path.map((key) => `${key}.`).join('')
    const { prefix, tensors, others } = options.isWhole ? all : selectKeys(checkpoint.tensors, rest, parents)
    const named = new Map<string, StoredTensor>()
    for (const [key, tensor] of tensors) named.set(key, nameErrors(source.name, key, tensor))
    return {
      ...checkpoint,
      name: source.name,
      prefix,
      tensors: named,
      others: [...checkpoint.others, ...others],
    }
  })
}

function nameErrors(file: string, key: string, tensor: StoredTensor): StoredTensor {
  const { dtype, shape } = tensor
  return { dtype, shape, read: () => within(`${file}: tensor '${key}'`, () => tensor.read()) }
}

/** A checkpoint before the beginnings of its keys select tensors. */
interface OpenedContainer extends Omit<Checkpoint, 'name' | 'prefix'> {
  /** End of the requested path that no dictionary has. */
  readonly rest: string
}

function readContainer(source: ByteSource, wanted: string | undefined): OpenedContainer {
  if (source.size === 0) throw malformed('the file is empty; fetch it again')
  const head = source.read(0, Math.min(source.size, 512))
  if (head[8] === 0x7b && !isText(head.subarray(0, 8))) return fromSafetensors(source, wanted)
  if (isOnnx(source))
    throw malformed(
      'this is an ONNX file, a graph that runs as it is: restore, eval and inspect take it as weights; anything else needs the .pth or .safetensors it was made from',
    )
  if (startsWith(head, 'PK\x03\x04') || startsWith(head, 'PK\x05\x06'))
    return fromPickle(readTorchZip(source), wanted)
  if (head[0] === 0x80) {
    checkLegacy(source)
    return fromPickle(readLegacy(source), wanted)
  }
  const reason = recognizeOther(head)
  if (reason === undefined && source.name.endsWith('.safetensors')) return fromSafetensors(source, wanted)
  throw malformed(
    reason ??
      `expected a PyTorch (.pth, .pt, .ckpt), safetensors or ONNX file, got one that starts with ${hex(head)}`,
  )
}

function checkLegacy(source: ByteSource): void {
  const message =
    'this is a bare Python pickle, which is not supported; expected a zip or legacy file of torch.save, or safetensors'
  let isTorch: boolean
  try {
    isTorch = isLegacy(source)
  } catch (error) {
    throw malformed(`${message} (${error instanceof Error ? error.message : error})`, error)
  }
  if (!isTorch) throw malformed(message)
}

function fromSafetensors(source: ByteSource, rest = ''): OpenedContainer {
  return { ...readSafetensors(source), container: 'safetensors', path: [], others: [], rest }
}

// Limits how often views may repeat stored values, as expanded and tied tensors do.
const maxExpansion = 16
const freeExpansionBytes = 64 * 2 ** 20

function fromPickle({ root, container, storages }: SavedObject, wanted: string | undefined): OpenedContainer {
  const found = findTensors(root, wanted)
  const tensors = new Map<string, StoredTensor>()
  const storageBytes = new Map<string, number>()
  let stored = 0
  let expanded = 0
  for (const [key, tensor] of found.tensors) {
    within(`tensor '${key}'`, () => {
      const opened = storedTensor(tensor, storages)
      const { storage } = tensor
      if (!storageBytes.has(storage.key)) {
        storageBytes.set(storage.key, storage.numel)
        stored += storage.numel * dtypeBytes[storage.dtype]
      }
      expanded += safeProduct(opened.shape) * dtypeBytes[opened.dtype]
      if (expanded > stored * maxExpansion + freeExpansionBytes) {
        throw malformed(
          `shape [${opened.shape}] expands ${stored} stored bytes to ${expanded}, which no checkpoint needs`,
        )
      }
      tensors.set(key, opened)
    })
  }
  const { path, others, rest } = found
  return { tensors, metadata: new Map(), container, path, others, rest }
}

/** First bytes of other common files. */
const otherFormats = [
  ['version https://git-lfs', 'a git-lfs pointer, not the file itself; fetch it with `git lfs pull`'],
  ['GGUF', 'a GGUF file; expected a PyTorch or safetensors file'],
  ['\x89HDF', 'an HDF5 (Keras) file; expected a PyTorch or safetensors file'],
  ['\x93NUMPY', 'a NumPy array; expected a PyTorch or safetensors file'],
  ['\x1f\x8b', 'a gzip archive; unpack it first'],
  ['7z\xbc\xaf', 'a 7-Zip archive; unpack it first'],
  ['Rar!', 'a RAR archive; unpack it first'],
  ['\x89PNG', 'a PNG image, not weights'],
  ['\xff\xd8\xff', 'a JPEG image, not weights'],
] as const

/** Describes a file that is not a checkpoint, if it is recognized. */
function recognizeOther(head: Uint8Array): string | undefined {
  const other = otherFormats.find(([magic]) => startsWith(head, magic))
  if (other) return `this is ${other[1]}`
  if (startsWith(head.subarray(257), 'ustar')) {
    return 'this is a tar archive; if PyTorch before 0.1.10 wrote it, save it again with a newer PyTorch, otherwise unpack it'
  }
  const text = latin1(head.subarray(0, 60)).trim()
  if (/^<(!doctype|html|\?xml|head|body)/i.test(text)) {
    return 'this is a web page, not weights: the download failed or needs a login; fetch the file itself'
  }
  return isText(head)
    ? `this is text ('${text.split(/\s*\n/)[0]}'), not weights; fetch the file again`
    : undefined
}

function hex(head: Uint8Array): string {
  return Array.from(head.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ')
}

function startsWith(head: Uint8Array, magic: string): boolean {
  return latin1(head.subarray(0, magic.length)) === magic
}

function isText(head: Uint8Array): boolean {
  return head.every((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 9 && byte <= 13))
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}
