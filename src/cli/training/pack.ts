// limpid pack: folders of images as tar shards, which are read and copied far faster than as many small
// files.

import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { imageExtensions, imagesBelow } from '../../data/sources/datasets.ts'
import {
  indexName,
  indexText,
  memberName,
  openShards,
  planShards,
  type Shard,
  splitMember,
} from '../../data/sources/shards.ts'
import { listTar, type TarInput, tarParts } from '../../data/sources/tar.ts'
import { unreadableFile } from '../../data/unreadable.ts'
import { clearLeftovers, writeAtomicSync } from '../../files/atomicWrite.ts'
import { makeFolder } from '../../files/folders.ts'
import type { PackOptions } from '../commands/training.ts'
import { formatProgress, isFolder, printResult, reporter } from '../io/shell.ts'
import { writeResult } from '../io/writeResult.ts'

export async function packCommand(folders: readonly string[], options: PackOptions): Promise<void> {
  const shardBytes = options.shardMb * 1e6
  const { output } = options
  const overwrite = options.resume === true || options.overwrite === true
  checkShards(output, options)
  const files = await filesOf(folders)
  makeFolder(output)
  clearLeftovers(output)
  const plan = planShards(files, shardBytes)
  const index = join(output, indexName)
  const progress = reporter(options)
  const started = performance.now()
  let packed = 0
  let kept = 0
  let shownMs = started
  // A stale index would be trusted.
  rmSync(index, { force: true })
  const shards = plan.map((members, number): Shard => {
    const path = join(output, `shard-${String(number).padStart(6, '0')}.tar`)
    if (options.resume && isSame(path, members)) {
      kept++
      packed += members.length
    } else {
      const onFile = () => {
        packed++
        if (performance.now() - shownMs < 500) return
        shownMs = performance.now()
        progress.show(`packing ${formatProgress(packed, files.length, started)}`)
      }
      writeAtomicSync(path, tarParts(reporting(members, onFile)), { overwrite })
    }
    return { path, members: listTar(path) }
  })
  removeSurplus(output, shards.length)
  writeResult(index, indexText(shards), { overwrite })
  progress.done()
  const samples = new Set(files.map(({ name }) => splitMember(name).key)).size
  const bytes = shards.reduce((sum, { path }) => sum + statSync(path).size, 0)
  const document = { output, shards: shards.length, kept, images: files.length, samples, bytes }
  printResult(options, document, index)
}

function checkShards(output: string, { resume, overwrite }: PackOptions): void {
  if (existsSync(output) && !isFolder(output)) {
    throw new RestoreError('output', `${output}: expected a folder for the shards, got a file`)
  }
  const isUsed = existsSync(join(output, indexName)) || existsSync(join(output, 'shard-000000.tar'))
  if (isUsed && !resume && !overwrite) {
    const advice = 'give another folder, --resume to finish them, or --overwrite'
    throw new RestoreError('output', `${output}: holds shards already; ${advice}`)
  }
}

/**
 * Every image of the folders under its name in the shards; of several folders each gives a field of the
 * samples.
 */
async function filesOf(folders: readonly string[]): Promise<readonly TarInput[]> {
  const fields = folders.length === 1 ? [''] : folders.map((folder) => basename(resolve(folder)))
  const twice = fields.find((field, i) => fields.indexOf(field) !== i)
  if (twice !== undefined) {
    throw new RestoreError(
      'usage',
      `pack: expected folders of different names, got two called ${twice}; rename one`,
    )
  }
  const file = folders.find((path) => existsSync(path) && !isFolder(path))
  if (file !== undefined)
    throw new RestoreError('usage', `pack: expected folders of images, got the file ${file}; give its folder`)
  const owners = new Map<string, string>()
  const found: TarInput[] = []
  for (const [i, folder] of folders.entries()) {
    const paths = await imagesBelow(folder)
    if (paths.length === 0) {
      throw new RestoreError(
        'input',
        `${folder}: expected images (${imageExtensions.join(', ')}), found none`,
      )
    }
    for (const path of paths) {
      const file = join(folder, path)
      const name = memberName(path, fields[i] ?? '')
      const other = owners.get(name)
      if (other)
        throw new RestoreError(
          'input',
          `${file}: expected a name of its own in the shards, ${name} is that of ${other}; rename one`,
        )
      owners.set(name, file)
      found.push(inputOf(file, name))
    }
  }
  return found
}

function inputOf(file: string, name: string): TarInput {
  try {
    const found = statSync(file)
    if (!found.isFile())
      throw new RestoreError('input', `${file}: expected a file, got a pipe or device; remove it`)
    const { size, mtimeMs } = found
    return { name, size, modified: Math.floor(mtimeMs / 1000), read: () => readWhole(file) }
  } catch (error) {
    throw unreadableFile(file, error)
  }
}

function readWhole(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (error) {
    throw unreadableFile(file, error)
  }
}

/**
 * Whether a shard holds exactly these files, by name, size and time; shards appear whole, so one that is
 * there is complete.
 */
function isSame(path: string, files: readonly TarInput[]): boolean {
  if (!existsSync(path)) return false
  try {
    const found = openShards(path)[0]?.members ?? []
    const facts = (list: readonly Omit<TarInput, 'read'>[]) =>
      list.map((f) => `${f.name} ${f.size} ${f.modified}`).join('\n')
    return facts(found) === facts(files)
  } catch (error) {
    if (error instanceof RestoreError) return false
    throw error
  }
}

function* reporting(files: readonly TarInput[], onFile: () => void): Generator<TarInput> {
  for (const file of files) {
    onFile()
    yield file
  }
}

/** Removes shards of an earlier packing that made more of them. */
function removeSurplus(output: string, count: number): void {
  for (let number = count; ; number++) {
    const path = join(output, `shard-${String(number).padStart(6, '0')}.tar`)
    if (!existsSync(path)) return
    rmSync(path)
  }
}
