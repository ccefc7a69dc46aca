// Where fetched files are kept, and whether one is as it was fetched.

import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { hashOnce } from '../checkpoints/files.ts'
import { RestoreError } from '../core/errors.ts'
import { writeAtomicSync } from '../files/atomicWrite.ts'
import { cacheFolder } from '../files/cacheFolder.ts'
import type { RemoteFile } from '../registry/downloads.ts'

/** Folder of fetched models: LIMPID_MODELS, or `models` in the cache folder. */
export function modelsFolder(): string {
  return process.env.LIMPID_MODELS || join(cacheFolder(), 'models')
}

/** Path of a fetched file, whether it is there or not. */
export function storedPath({ name }: Pick<RemoteFile, 'name'>): string {
  return join(modelsFolder(), name)
}

/** Hash of a whole file. */
export function isWholeHash(sha256: string | undefined): sha256 is string {
  return sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256)
}

const recordOf = (path: string) => `${path}.json`

/** SHA-256 that a fetched file must have; undefined where none is stated and none was recorded. */
function expectedHash({ sha256, name }: RemoteFile): string | undefined {
  if (isWholeHash(sha256)) return sha256
  try {
    const record: unknown = JSON.parse(readFileSync(recordOf(storedPath({ name })), 'utf8'))
    const recorded = (record as { readonly sha256?: unknown } | null)?.sha256
    return typeof recorded === 'string' && isWholeHash(recorded) ? recorded : undefined
  } catch {
    return undefined
  }
}

/** Records the hash of a file whose authors state none, to be checked from then on. */
export function recordHash(file: RemoteFile, sha256: string): void {
  const text = `${JSON.stringify({ sha256, address: file.address }, null, 2)}\n`
  writeAtomicSync(recordOf(storedPath(file)), [Buffer.from(text)], { overwrite: true })
}

/** Whether a file has been fetched; its content is checked by {@link isSound}. */
export function isStored(file: RemoteFile): boolean {
  return existsSync(storedPath(file)) && expectedHash(file) !== undefined
}

/** Whether a fetched file is as it was fetched. */
export function isSound(file: RemoteFile): boolean {
  return isStored(file) && hashOnce(storedPath(file)) === expectedHash(file)
}

/**
 * Path of a fetched file, whose hash is checked; undefined where it has not been fetched.
 * @param name by which `limpid fetch` fetches it
 * @throws RestoreError 'checkpoint' where the file has changed since
 */
export function findStored(file: RemoteFile, name: string): string | undefined {
  if (!isStored(file)) return undefined
  const path = storedPath(file)
  if (isSound(file)) return path
  throw new RestoreError(
    'checkpoint',
    `${path}: expected a file of sha256 ${expectedHash(file)}, as it was fetched, got ${hashOnce(path)}; \`limpid fetch ${name}\` fetches it again`,
  )
}

/** Removes a fetched file with what was begun of it; returns its size, or undefined where there was none. */
export function removeStored(file: Pick<RemoteFile, 'name'>): number | undefined {
  const path = storedPath(file)
  const sizes = [path, partOf(path)].flatMap((one) => statSync(one, { throwIfNoEntry: false })?.size ?? [])
  for (const one of [path, recordOf(path), partOf(path), stateOf(path)]) rmSync(one, { force: true })
  return sizes.length > 0 ? sizes.reduce((a, b) => a + b) : undefined
}

/** File that receives the bytes. */
export function partOf(path: string): string {
  return `${path}.part`
}

/** Record of where the bytes of an unfinished file came from. */
export function stateOf(path: string): string {
  return `${path}.part.json`
}

/** Files in the folder of fetched models that are finished or begun, with their sizes. */
export function listStored(): readonly { readonly name: string; readonly sizeBytes: number }[] {
  const folder = modelsFolder()
  const names = existsSync(folder) ? readdirSync(folder) : []
  return names
    .filter((name) => !/\.json$|\.lock/.test(name))
    .flatMap((name) => {
      const stat = statSync(join(folder, name), { throwIfNoEntry: false })
      return stat?.isFile() && !name.startsWith('.') ? [{ name, sizeBytes: stat.size }] : []
    })
}
