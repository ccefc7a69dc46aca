// What the cache folder holds of libtorch and the built addon, and the records of built addons.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeAtomicSync } from '../src/files/atomicWrite.ts'
import { cacheFolder } from '../src/files/cacheFolder.ts'
import { isRunning } from '../src/files/processes.ts'

/** Record of one built addon, so that loading it needs no other program. */
export interface BuildRecord {
  readonly addon: string
  readonly sources: string
  readonly libtorch: string
  readonly version: string
  readonly library: string
  readonly libraryStamp: string
}

/** Folder of the C++ sources; they stay in the package when the TypeScript is compiled to dist/. */
export function sourceFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder)
  return join(folder, 'native', 'src')
}

/** Hashes all C++ sources in a folder. */
export function hashSources(folder = sourceFolder()): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(folder).sort()) hash.update(name).update(readFileSync(join(folder, name)))
  return hash.digest('hex')
}

/** Size and modification time of a file, which change when it is replaced. */
export function stampOf(file: string): string {
  const { size, mtimeMs } = statSync(file)
  return `${size}-${mtimeMs}`
}

const recordFile = () => join(cacheFolder(), 'addons.json')

/** Reads the records of built addons, newest last. */
export function readRecords(): readonly BuildRecord[] {
  try {
    const records: unknown = JSON.parse(readFileSync(recordFile(), 'utf8'))
    return Array.isArray(records) ? records : []
  } catch {
    return []
  }
}

export function remember(record: BuildRecord): void {
  const others = readRecords().filter((other) => other.addon !== record.addon && existsSync(other.addon))
  mkdirSync(cacheFolder(), { recursive: true })
  const text = `${JSON.stringify([...others, record], null, 2)}\n`
  writeAtomicSync(recordFile(), [Buffer.from(text)], { overwrite: true })
}

/** Removes temporary folders of interrupted setups from the cache folder. */
export function removeLeftovers(): void {
  for (const name of readdirSync(cacheFolder())) {
    const pid = Number(/\.(\d+)\.tmp$/.exec(name)?.[1])
    if (pid > 0 && !isRunning({ pid })) rmSync(join(cacheFolder(), name), { recursive: true, force: true })
  }
}
