// Fetches one file into the folder of fetched models: whole and verified, or not at all.

import { copyFileSync, existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashOnce } from '../checkpoints/files.ts'
import { RestoreError } from '../core/errors.ts'
import { makeFolder } from '../files/folders.ts'
import { type Lock, takeLockIfFree } from '../files/lock.ts'
import { unwritable } from '../files/outputErrors.ts'
import type { RemoteFile } from '../registry/downloads.ts'
import { isAddress, parseAddress } from './addresses.ts'
import { isSound, isWholeHash, modelsFolder, partOf, recordHash, stateOf, storedPath } from './store.ts'
import { defaultLimits, type TransferLimits, transfer, WrongBytes } from './transfer.ts'

export interface FetchFileOptions {
  /** Address, folder or file to take it from. @default the file's own address */
  readonly from?: string | undefined
  /** Checks a file whose hash is not known: that it is what its name says. Throws otherwise. */
  readonly check: (path: string) => void
  readonly signal?: AbortSignal | undefined
  readonly limits?: Partial<TransferLimits> | undefined
  /** Receives the bytes there are, and their number in the end where it is known. */
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined
  /** Receives sentences about what is done again, and why. */
  readonly onNote?: ((note: string) => void) | undefined
}

/** A file in the folder of fetched models. */
export interface FetchedFile {
  readonly path: string
  readonly sizeBytes: number
  readonly sha256: string
  /** Whether it was fetched now, or was there. */
  readonly isNew: boolean
}

/**
 * Fetches a file unless it is there and sound. Of several processes that fetch it at once, one does, and the others wait.
 * @throws RestoreError 'input' for its source, 'output' for the disk, 'checkpoint' for wrong bytes, 'environment' when offline
 */
export async function fetchFile(file: RemoteFile, options: FetchFileOptions): Promise<FetchedFile> {
  const path = storedPath(file)
  if (isSound(file)) return described(path, false)
  makeFolder(modelsFolder())
  const lock = await waitForLock(path, options)
  try {
    if (isSound(file)) return described(path, false)
    if (existsSync(path))
      options.onNote?.(
        `${path}: has changed since it was fetched, or its hash is not known; fetching it again`,
      )
    const part = partOf(path)
    const isContinued = existsSync(part)
    const sha256 = await bringAndCheck(file, part, options).catch((error) => {
      // The bytes that were kept may be of another file.
      if (!isContinued || !(error instanceof RestoreError) || error.code !== 'checkpoint') throw error
      options.onNote?.(`${error.message.split(';')[0]}; fetching all of it`)
      return bringAndCheck(file, part, options)
    })
    if (!isWholeHash(file.sha256)) recordHash(file, sha256)
    await publish(part, path)
    rmSync(stateOf(path), { force: true })
    return described(path, true)
  } finally {
    lock.release()
  }
}

function described(path: string, isNew: boolean): FetchedFile {
  return { path, sizeBytes: statSync(path).size, sha256: hashOnce(path), isNew }
}

async function bringAndCheck(file: RemoteFile, part: string, options: FetchFileOptions): Promise<string> {
  await bring(file, part, options)
  return accept(file, part, options)
}

const lockPollMs = 200

async function waitForLock(path: string, { signal, onNote }: FetchFileOptions): Promise<Lock> {
  for (let isTold = false; ; isTold = true) {
    const taken = takeLockIfFree(`${path}.lock`, { what: path, work: 'fetching it' })
    if (typeof taken !== 'string') return taken
    if (!isTold) onNote?.(`${taken}; waiting for it`)
    await sleep(lockPollMs)
    if (signal?.aborted) throw new RestoreError('aborted', `${path}: fetching was canceled`)
  }
}

/** Brings the bytes into the part: over the network, or from a file. */
async function bring(file: RemoteFile, part: string, options: FetchFileOptions): Promise<void> {
  const { from, signal, limits, onProgress, onNote } = options
  const source = from ?? file.address
  if (source === undefined)
    throw new RestoreError('usage', `${file.name}: expected an address, got none; pass --from FILE`)
  if (!isAddress(source)) return copy(localFile(source, file), part)
  const address = parseAddress(source.endsWith('/') && from !== undefined ? source + file.name : source)
  checkOnline(file)
  const request = {
    address,
    part,
    state: stateOf(storedPath(file)),
    sizeBytes: file.sizeBytes,
    isHashed: isWholeHash(file.sha256),
    signal,
    limits: { ...defaultLimits, ...limits },
    onProgress,
    onRetry: (reason: string) => onNote?.(`${file.name}: ${reason}; trying again`),
  }
  try {
    await transfer(request)
  } catch (error) {
    if (error instanceof WrongBytes) discard(part, file)
    throw error
  }
}

/** @throws RestoreError 'environment' where LIMPID_OFFLINE forbids the network */
export function checkOnline({ name }: Pick<RemoteFile, 'name'>): void {
  const { LIMPID_OFFLINE } = process.env
  if (LIMPID_OFFLINE === undefined || LIMPID_OFFLINE === '' || LIMPID_OFFLINE === '0') return
  throw new RestoreError(
    'environment',
    `${name}: cannot be fetched while LIMPID_OFFLINE is set; unset it, or pass a file with --from FILE`,
  )
}

function discard(part: string, file: RemoteFile): void {
  rmSync(part, { force: true })
  rmSync(stateOf(storedPath(file)), { force: true })
}

function localFile(from: string, { name }: RemoteFile): string {
  const stat = statSync(from, { throwIfNoEntry: false })
  if (!stat) throw new RestoreError('input', `${from}: no such file; check the path`)
  return stat.isDirectory() ? join(from, name) : from
}

function copy(from: string, part: string): void {
  if (!existsSync(from)) throw new RestoreError('input', `${from}: no such file; check the path`)
  try {
    copyFileSync(from, part)
  } catch (error) {
    throw unwritable(part, error)
  }
}

/** Checks size, hash and, where the hash is not known whole, the content of a finished part; a wrong one is deleted. */
function accept(file: RemoteFile, part: string, { check }: FetchFileOptions): string {
  try {
    const { size } = statSync(part)
    if (file.sizeBytes !== undefined && size !== file.sizeBytes)
      throw wrong(file, `${file.sizeBytes} bytes`, String(size))
    const sha256 = hashOnce(part)
    if (!sha256.startsWith(file.sha256 ?? '')) throw wrong(file, `sha256 ${file.sha256}`, sha256)
    if (!isWholeHash(file.sha256)) check(part)
    return sha256
  } catch (error) {
    discard(part, file)
    throw error
  }
}

function wrong({ name }: RemoteFile, expected: string, got: string): RestoreError {
  return new RestoreError(
    'checkpoint',
    `${name}: expected a file of ${expected}, got ${got}; nothing was kept: fetch it again, or from another source with --from`,
  )
}

/** Gives a verified part its name, on disk before it is seen. */
async function publish(part: string, path: string): Promise<void> {
  try {
    const file = await open(part, 'r+')
    await file.sync().finally(() => file.close())
    renameSync(part, path)
  } catch (error) {
    throw unwritable(path, error)
  }
}
