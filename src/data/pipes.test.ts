import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { afterAll, describe, expect, test } from 'vitest'
import { compileRecipe } from '../train/recipe/recipeFile.ts'
import { readCaptions } from '../train/samples/captions.ts'
import { decodeBytes, decodeImage, imageSize } from './decode.ts'
import { readIfPipe } from './pipes.ts'
import { openSource, specOf } from './sources/datasets.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-pipes-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('waiting for the writer of a pipe ends with an abort', async () => {
  const path = join(dir, 'silent')
  execFileSync('mkfifo', [path])
  await expect(readIfPipe(path, AbortSignal.timeout(50))).rejects.toThrow(/close/i)
})

describe.each([
  ['decodeImage', async (path: string) => (await decodeImage(path)).image.width],
  ['decodeBytes', async (path: string) => (await decodeBytes(path)).pixels.width],
  ['imageSize', async (path: string) => (await imageSize(path)).width],
])('%s', (name, widthOf) => {
  test.each(['png', 'gif', 'tiff'] as const)('reads a %s from a pipe', async (format) => {
    const path = join(dir, `${name} ${format}`)
    execFileSync('mkfifo', [path])
    const picture = sharp({ create: { width: 7, height: 5, channels: 3, background: 'teal' } })
    const [width] = await Promise.all([
      widthOf(path),
      writeFile(path, await picture.toFormat(format).toBuffer()),
    ])
    expect(width).toBe(7)
  })

  test('refuses a device, which may never end', async () => {
    await expect(widthOf('/dev/zero')).rejects.toThrow(
      '/dev/zero: expected a readable still image, got: a device',
    )
  })
})

describe('a pipe in a data folder is refused, where it could wait for a writer forever', () => {
  const pipe = (folder: string, name: string): string => {
    mkdirSync(join(dir, folder), { recursive: true })
    execFileSync('mkfifo', [join(dir, folder, name)])
    return join(dir, folder, name)
  }

  test.each([
    ['as a picture', 'a', 'a.png', (path: string) => readFirst(dirname(path))],
    ['as a shard', 'b', 'x.tar', (path: string) => readFirst(dirname(path))],
    ['as an index of shards', 'c', 'index.json', (path: string) => readFirst(withShard(dirname(path)))],
    ['as captions', 'd', 'captions.csv', async (path: string) => readCaptions(path)],
    ['as a recipe', 'e', 'recipe.ts', async (path: string) => compileRecipe(path)],
    ['as a database', 'f', 'data.mdb', (path: string) => readFirst(dirname(path))],
  ])('%s', async (_, folder, name, open) => {
    await expect(open(pipe(folder, name))).rejects.toThrow(/: expected .* got.* (pipe|data\.mdb)/)
  })

  const readFirst = async (path: string) => (await openSource(await specOf(path))).read(0)
  const withShard = (path: string) => {
    writeFileSync(join(path, 'x.tar'), '')
    return path
  }
})
