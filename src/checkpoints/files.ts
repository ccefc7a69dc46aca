// Checkpoint files in Node: reads by path, and writes safetensors atomically.

import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, type Stats, statSync } from 'node:fs'
import { messageOf, RestoreError } from '../core/errors.ts'
import { type AtomicWriteOptions, writeAtomicSync } from '../files/atomicWrite.ts'
import { type ByteSource, type Checkpoint, checkRange, malformed } from './checkpoint.ts'
import { type OpenOptions, openCheckpoint } from './open.ts'
import { safetensorsParts, type WritableTensor } from './safetensors.ts'

/**
 * Opens a .pth, .pt, .ckpt or .safetensors file, recognized by its content. Runs no
 * code from the file; tensors are read on demand.
 * @throws RestoreError with the code `input` if it cannot be read, `checkpoint` if it is malformed or unsafe.
 *
 * @example
 * ```ts
 * const { tensors, metadata } = readCheckpoint('real_denoising.pth')
 * for (const [key, { dtype, shape }] of tensors) console.log(key, dtype, shape)
 * ```
 */
export function readCheckpoint(file: string | ByteSource, options?: OpenOptions): Checkpoint {
  return openCheckpoint(typeof file === 'string' ? fileSource(file) : file, options)
}

/** Size of a read: a network has hundreds of small tensors, which are mostly adjacent. */
const blockBytes = 2 ** 20

/**
 * A file source that opens the file for each read, so that nothing has to be closed.
 * Throws if the file has changed.
 */
export function fileSource(path: string): ByteSource {
  const { size, mtimeMs } = statOf(path)
  const readNow = (offset: number, length: number) =>
    withFile(path, (file) => readFully(file, offset, length))
  let block = { start: 0, bytes: new Uint8Array(0) }
  return {
    name: path,
    size,
    read(offset, length) {
      checkRange(offset, length, size)
      const stat = statOf(path)
      if (stat.size !== size || stat.mtimeMs !== mtimeMs) {
        throw malformed(
          `changed while it was being read (${size} bytes at first, ${stat.size} now); open it again`,
        )
      }
      if (length >= blockBytes) return readNow(offset, length)
      const end = block.start + block.bytes.length
      if (offset < block.start || offset + length > end)
        block = { start: offset, bytes: readNow(offset, Math.min(blockBytes, size - offset)) }
      // A copy has its own memory, aligned for float32 views.
      return block.bytes.slice(offset - block.start, offset - block.start + length)
    },
  }
}

/** SHA-256 of a file of any size, in hexadecimal. */
export function hashFile(path: string): string {
  const file = fileSource(path)
  const hash = createHash('sha256')
  const step = 2 ** 24
  for (let at = 0; at < file.size; at += step) hash.update(file.read(at, Math.min(step, file.size - at)))
  return hash.digest('hex')
}

/** Hashes by path, with the size and time of the file they are of. */
const knownHashes = new Map<string, { readonly stamp: string; readonly sha256: string }>()

/** SHA-256 of a file, computed once while it stays as it is. */
export function hashOnce(path: string): string {
  const { size, mtimeMs, ino } = statSync(path)
  const stamp = `${size} ${mtimeMs} ${ino}`
  const known = knownHashes.get(path)
  if (known?.stamp === stamp) return known.sha256
  const sha256 = hashFile(path)
  knownHashes.set(path, { stamp, sha256 })
  return sha256
}

/** SHA-256 of bytes, in hexadecimal. */
export function hashBytes(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function statOf(path: string): Stats {
  const stat = wrapErrors(path, () => statSync(path))
  if (stat.isFile()) return stat
  throw new RestoreError('input', `${path}: expected a file, got a folder, pipe or device`)
}

function withFile<T>(path: string, action: (file: number) => T): T {
  return wrapErrors(path, () => {
    const file = openSync(path, 'r')
    try {
      return action(file)
    } finally {
      closeSync(file)
    }
  })
}

/** Converts system errors to RestoreErrors. */
function wrapErrors<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (error instanceof RestoreError) throw error
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    const reason = isMissing ? 'no such file; check the path' : `cannot be read (${messageOf(error)})`
    throw new RestoreError('input', `${path}: ${reason}`, { cause: error })
  }
}

function readFully(file: number, offset: number, length: number): Uint8Array<ArrayBuffer> {
  // Not zeroed, as every byte is written below or the read fails. "Slow" allocates
  // separate memory, aligned for float32 views.
  const { buffer } = Buffer.allocUnsafeSlow(length)
  const bytes = new Uint8Array(buffer, 0, length)
  for (let at = 0; at < length; ) {
    const count = readSync(file, bytes, at, Math.min(length - at, 2 ** 30), offset + at)
    if (count === 0) throw malformed(`ended at byte ${offset + at} while it was being read: it was cut short`)
    at += count
  }
  return bytes
}

/**
 * Writes a safetensors file atomically; replaces `path` by default. Tensors of other files are read one at a
 * time. The same tensors and metadata always give the same bytes.
 *
 * @throws RestoreError `output` if it cannot be written
 * @example
 * ```ts
 * writeSafetensors('copy.safetensors', readCheckpoint('network.pth').tensors, new Map([['format', 'pt']]))
 * ```
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata?: ReadonlyMap<string, string>,
  options: AtomicWriteOptions = { overwrite: true },
): void {
  writeAtomicSync(path, safetensorsParts(tensors, metadata), options)
}
