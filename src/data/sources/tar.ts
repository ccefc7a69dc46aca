// Writes tar archives of plain files as POSIX pax (ustar if names fit), and indexes archives without reading
// contents. Format: POSIX.1-2017 pax and ustar; GNU long names can be read, too.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { messageOf, RestoreError } from '../../core/errors.ts'
import { roundUp } from '../../core/functional.ts'
import { refusePipe } from '../pipes.ts'

/** A file to write; its content is read only when it is written. */
export interface TarInput {
  readonly name: string
  readonly size: number
  /** Seconds since 1970. */
  readonly modified: number
  read(): Uint8Array
}

/** A file in an archive and the location of its content. */
export interface TarMember {
  readonly name: string
  readonly offset: number
  readonly size: number
  readonly modified: number
}

const blockBytes = 512
/** Largest extended header to accept, in bytes; names are far shorter. */
const maxHeaderBytes = 1 << 20
const gzipMagic = Buffer.of(0x1f, 0x8b)
const maxFileBytes = 8 ** 11

/** Generates an archive in pieces; the same files give the same bytes. */
export function* tarParts(files: Iterable<TarInput>): Generator<Uint8Array> {
  for (const { name, size, modified, read } of files) {
    if (size >= maxFileBytes)
      throw new RestoreError('input', `${name}: expected less than 8 GiB, got ${size} bytes`)
    const short = shortName(name)
    if (!short) {
      const record = paxRecord('path', name)
      yield header({ name: 'pax-header', prefix: '', size: record.length, modified, type: 'x' })
      yield padded(record)
    }
    yield header({ ...(short ?? { name: 'long-name', prefix: '' }), size, modified, type: '0' })
    const content = read()
    if (content.length !== size) {
      throw new RestoreError(
        'input',
        `${name}: expected ${size} bytes, got ${content.length}; the file changed while it was packed`,
      )
    }
    yield padded(content)
  }
  yield new Uint8Array(2 * blockBytes)
}

/** Size of a file in the archive in bytes, headers included. */
export function tarSize({ name, size }: Pick<TarInput, 'name' | 'size'>): number {
  const extended = shortName(name) ? 0 : blockBytes + roundUp(paxRecord('path', name).length, blockBytes)
  return extended + blockBytes + roundUp(size, blockBytes)
}

/**
 * Splits a name at a slash into 155 bytes of prefix and 100 of name, all ASCII; undefined if it does not fit.
 */
function shortName(name: string): { readonly name: string; readonly prefix: string } | undefined {
  if (!/^[\x20-\x7e]+$/.test(name)) return undefined
  if (name.length <= 100) return { name, prefix: '' }
  const slash = name.indexOf('/', name.length - 101)
  return slash > 0 && slash <= 155 ? { name: name.slice(slash + 1), prefix: name.slice(0, slash) } : undefined
}

/** Builds `length key=value\n`, where the length includes its own digits. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`)
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return Buffer.concat([Buffer.from(String(length)), rest])
}

interface Header {
  readonly name: string
  readonly prefix: string
  readonly size: number
  readonly modified: number
  readonly type: '0' | 'x'
}

function header({ name, prefix, size, modified, type }: Header): Buffer {
  const bytes = Buffer.alloc(blockBytes)
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  bytes.write(name, 0, 'latin1')
  bytes.write(`${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100, 'latin1')
  bytes.write(`${octal(size, 11)}\0${octal(Math.max(0, Math.floor(modified)), 11)}\0`, 124, 'latin1')
  bytes.write(`        ${type}`, 148, 'latin1')
  bytes.write('ustar\x0000', 257, 'latin1')
  bytes.write(prefix, 345, 'latin1')
  bytes.write(`${octal(checksum(bytes), 6)}\0 `, 148, 'latin1')
  return bytes
}

function padded(content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(roundUp(content.length, blockBytes))
  bytes.set(content)
  return bytes
}

/** Lists the plain files of an archive from its headers alone; skips links, folders and devices. */
export function listTar(path: string): readonly TarMember[] {
  refusePipe(path)
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    return members(file, fstatSync(file).size)
  } catch (error) {
    const reason = messageOf(error)
    throw new RestoreError('input', `${path}: expected a tar archive, got: ${reason}`, { cause: error })
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function members(file: number, size: number): readonly TarMember[] {
  const found: TarMember[] = []
  let longName: string | undefined
  if (size > 2 && readAt(file, 0, 2).equals(gzipMagic))
    throw new Error('a compressed archive; decompress it (gunzip)')
  for (let at = 0; at < size; ) {
    const head = readAt(file, at, blockBytes)
    if (head.every((byte) => byte === 0)) return found
    verifyChecksum(head, at)
    const length = numberAt(head, 124, 12)
    const type = String.fromCharCode(head[156] ?? 0)
    const offset = at + blockBytes
    if (offset + length > size) throw new Error(`an archive truncated at byte ${size}`)
    if (type === 'x' || type === 'L') {
      if (length > maxHeaderBytes) throw new Error(`an extended header of ${length} bytes at byte ${at}`)
      longName = longNameOf(readAt(file, offset, length), type) ?? longName
    } else if (type !== 'g') {
      const name = longName ?? nameOf(head)
      longName = undefined
      if (type === '0' || type === '\0')
        found.push({ name, offset, size: length, modified: numberAt(head, 136, 12) })
    }
    at = offset + roundUp(length, blockBytes)
  }
  throw new Error('a truncated archive without an end marker')
}

function verifyChecksum(head: Buffer, at: number): void {
  const stored = numberAt(head, 148, 8)
  head.fill(0x20, 148, 156)
  if (checksum(head) !== stored) throw new Error(`no tar header at byte ${at}`)
}

function checksum(head: Uint8Array): number {
  return head.reduce((sum, byte) => sum + byte, 0)
}

/** Reads a number: octal text, or binary after a byte of 0x80. */
function numberAt(head: Buffer, at: number, length: number): number {
  if (head[at] === 0x80) return head.readUIntBE(at + length - 6, 6)
  const text = head
    .toString('latin1', at, at + length)
    .replace(/[\0 ]+$/, '')
    .trim()
  if (!/^[0-7]*$/.test(text)) throw new Error(`a header with ${JSON.stringify(text)} instead of a number`)
  return Number.parseInt(text || '0', 8)
}

function nameOf(head: Buffer): string {
  const text = (from: number, to: number) => head.toString('utf8', from, to).split('\0', 1)[0] ?? ''
  const prefix = head.toString('latin1', 257, 263) === 'ustar\0' ? text(345, 500) : ''
  return prefix ? `${prefix}/${text(0, 100)}` : text(0, 100)
}

function longNameOf(content: Buffer, type: string): string | undefined {
  if (type === 'L') return content.toString('utf8').split('\0', 1)[0] ?? ''
  for (let at = 0; at < content.length; ) {
    const length = Number.parseInt(content.toString('latin1', at, at + 12), 10)
    const record = content.toString('utf8', at, at + length - 1)
    if (!(length > 4)) throw new Error('a malformed extended header')
    const [, key, value] = /^\d+ ([^=]+)=(.*)$/s.exec(record) ?? []
    if (key === 'path') return value
    if (key === 'size') throw new Error('a file of 8 GiB or more')
    at += length
  }
  return undefined
}

function readAt(file: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; ) {
    const count = readSync(file, bytes, at, length - at, offset + at)
    if (count === 0) throw new Error('a truncated archive')
    at += count
  }
  return bytes
}
