import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkSources } from './check.ts'
import { type ImageSource, openSource, type SourceSpec, specOf, subset } from './datasets.ts'
import { findPairs, pairSources } from './pairs.ts'
import { indexText, openShards } from './shards.ts'
import { tarParts } from './tar.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-datasets-'))
const at = (...names: string[]) => join(dir, ...names)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const loaderUrl = pathToFileURL(
  createRequire(import.meta.url)
    .resolve('tsx/esm/api')
    .replace(/cjs$/, 'mjs'),
).href
const lmdb = fileURLToPath(new URL('../../../test/golden/lmdb/images.lmdb', import.meta.url))

function png(width: number, height: number, channels: 3 | 4 = 3): Promise<Buffer> {
  const pixels = Uint8Array.from({ length: width * height * channels }, (_, i) => (i * 7) % 256)
  return sharp(pixels, { raw: { width, height, channels } }).png().toBuffer()
}

async function save(width: number, height: number, ...names: string[]): Promise<void> {
  mkdirSync(at(...names.slice(0, -1)), { recursive: true })
  writeFileSync(at(...names), await png(width, height))
}

const folder = (...names: string[]) => openSource({ kind: 'folder', path: at(...names) })
const namesOf = (source: ImageSource | undefined) =>
  source && Array.from({ length: source.length }, (_, i) => source.name(i))

beforeAll(async () => {
  await save(8, 6, 'train', 'GT', 'b.png')
  await save(8, 6, 'train', 'GT', 'B.PNG')
  await save(8, 6, 'train', 'GT', 'a', 'z.png')
  await save(4, 3, 'train', 'LQ', 'bx2.png')
  await save(4, 3, 'train', 'LQ', 'Bx2.png')
  await save(4, 3, 'train', 'LQ', 'zx2.jpg')
  for (const junk of ['notes.txt', '.hidden.png', '._b.png']) writeFileSync(at('train', 'GT', junk), 'x')
})

describe('a folder', () => {
  test('lists images in Python’s sort order, with extensions in any case, without hidden files', async () => {
    expect(namesOf(await folder('train', 'GT'))).toEqual(['B.PNG', 'a/z.png', 'b.png'])
  })

  test('follows links, and stops at cycles', async () => {
    mkdirSync(at('linked'))
    symlinkSync(at('train', 'GT'), at('linked', 'to'))
    symlinkSync(at('linked'), at('linked', 'loop'))
    symlinkSync(at('nowhere'), at('linked', 'lost.png'))
    expect(namesOf(await folder('linked'))).toEqual(['lost.png', 'to/B.PNG', 'to/a/z.png', 'to/b.png'])
    await expect((await folder('linked')).read(0)).rejects.toThrow(/lost.png: cannot be read \(ENOENT/)
  })

  test('with a pipe or a name that is not UTF-8 says so of that image, and does not wait', async () => {
    await save(8, 6, 'odd', 'a.png')
    execFileSync('mkfifo', [at('odd', 'b.png')])
    writeFileSync(
      Buffer.concat([Buffer.from(`${at('odd')}/`), Buffer.from([0xe9]), Buffer.from('.png')]),
      'x',
    )
    const odd = await folder('odd')
    expect(namesOf(odd)).toEqual(['a.png', 'b.png', '\uFFFD.png'])
    for (const read of [() => odd.read(1), () => odd.size(1)])
      await expect(read()).rejects.toThrow('b.png: expected a file, got a pipe or device')
    for (const read of [() => odd.read(2), () => odd.size(2)])
      await expect(read()).rejects.toThrow(': expected a name in UTF-8, got other bytes; rename it')
  })

  test('that is missing, empty or a file is rejected', async () => {
    mkdirSync(at('empty'))
    await expect(folder('none')).rejects.toThrow(/none: cannot be read \(ENOENT/)
    await expect(folder('empty')).rejects.toThrow(/empty: expected images \(jpg, .*\), found none/)
    await expect(folder('train', 'GT', 'b.png')).rejects.toThrow('ENOTDIR')
  })

  test('rejects an index out of range', async () => {
    const source = await folder('train', 'GT')
    expect(() => source.name(3)).toThrow('images: expected an index from 0 to 2, got 3')
    expect(() => subset(source, [0, 7])).toThrow('got 7')
  })
})

describe('a list', () => {
  test('names files relative to its folder, ignoring BasicSR’s suffixes', async () => {
    writeFileSync(at('train', 'list.txt'), '# mine\nGT/b.png (6,8,3)\r\n\nGT/a/z.png (6,8,3) 1\n')
    const source = await openSource({ kind: 'list', path: at('train', 'list.txt') })
    expect(namesOf(source)).toEqual(['GT/b.png', 'GT/a/z.png'])
    expect(await source.size(1)).toMatchObject({ width: 8, height: 6 })
  })

  test('may be relative to another folder, and is rejected if it is an image', async () => {
    writeFileSync(at('names.txt'), 'b.png\n')
    const source = await openSource({ kind: 'list', path: at('names.txt'), root: at('train', 'GT') })
    expect((await source.read(0)).length).toBeGreaterThan(50)
    const image = openSource({ kind: 'list', path: at('train', 'GT', 'b.png') })
    await expect(image).rejects.toThrow('expected a text file with one path per line')
  })
})

describe('a database', () => {
  test('uses the order and names of its meta_info.txt', async () => {
    const source = await openSource({ kind: 'lmdb', path: lmdb })
    expect(namesOf(source)).toEqual(['large.png', 'baby.png', 'set/bird.png'])
    expect(await source.size(2)).toMatchObject({ width: 3, height: 5 })
    await source.close()
  })

  test('that lacks a listed key is rejected, naming the key', async () => {
    cpSync(lmdb, at('copy.lmdb'), { recursive: true })
    writeFileSync(at('copy.lmdb', 'meta_info.txt'), 'baby.png (4,6,3) 1\nlost.png (1,1,3) 1\n')
    await expect(openSource({ kind: 'lmdb', path: at('copy.lmdb') })).rejects.toThrow(
      'expected only keys of the database, got lost',
    )
  })
})

describe('shards', () => {
  const shard = (name: string, files: readonly string[]) => {
    mkdirSync(at('shards'), { recursive: true })
    const inputs = files.map((file) => ({
      name: file,
      size: file.length,
      modified: 0,
      read: () => Buffer.from(file),
    }))
    writeFileSync(at('shards', name), Buffer.concat([...tarParts(inputs)]))
  }
  const open = (field?: string) =>
    openSource({ kind: 'shards', path: at('shards'), ...(field === undefined ? {} : { field }) })

  test('without an index are read, by field if given', async () => {
    shard('one-1.tar', ['1.json', '1.input.png', '1.target.png'])
    shard('one-2.tar', ['2.input.png', '2.target.png', '2.cls'])
    expect(namesOf(await open())).toEqual(['1.input.png', '1.target.png', '2.input.png', '2.target.png'])
    const targets = await open('target')
    expect(namesOf(targets)).toEqual(['1.png', '2.png'])
    expect(Buffer.from(await targets.read(1)).toString()).toBe('2.target.png')
  })

  test('with an outdated or malformed index are rejected', async () => {
    const index = indexText(openShards(at('shards')))
    writeFileSync(at('shards', 'index.json'), index)
    expect((await open()).length).toBe(4)
    shard('one-2.tar', ['2.input.png'])
    await expect(open()).rejects.toThrow(
      /one-2.tar: expected a shard of \d+ bytes, got \d+; download it again/,
    )
    rmSync(at('shards', 'one-2.tar'))
    await expect(open()).rejects.toThrow('found none; download it again')
    const malformed = [
      '{',
      'null',
      '{"format":"limpid-shards","version":2,"shards":[]}',
      index.replace('one-1.tar', '../one-1.tar'),
      index.replace(/512,/, '512000000,'),
      index.replace(/512,/, '-512,'),
    ]
    for (const text of malformed) {
      writeFileSync(at('shards', 'index.json'), text)
      await expect(open()).rejects.toThrow('expected a shard index written by limpid pack')
    }
  })
})

describe('a source spec', () => {
  test('reopens the same images in a worker', async () => {
    const selected = subset(await folder('train', 'GT'), [2, 0])
    const specs: SourceSpec[] = [selected.spec, (await openSource({ kind: 'lmdb', path: lmdb })).spec]
    await save(8, 6, 'train', 'GT', 'A-later.png')
    const script = `
      import { parentPort, workerData } from 'node:worker_threads'
      const { register } = await import(workerData.loader)
      register()
      const { openSource } = await import(workerData.module)
      const sizes = []
      for (const spec of workerData.specs) {
        const source = await openSource(spec)
        for (let i = 0; i < source.length; i++) sizes.push([source.name(i), (await source.read(i)).length])
      }
      parentPort.postMessage(sizes)`
    const module = new URL('./datasets.ts', import.meta.url).href
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
      workerData: { module, specs, loader: loaderUrl },
    })
    const reply = new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject))
    const found = await reply.finally(() => rmSync(at('train', 'GT', 'A-later.png')))
    await worker.terminate()
    const sizes = [(await png(8, 6)).length, (await png(8, 6)).length]
    expect((found as [string, number][]).slice(0, 2)).toEqual([
      ['b.png', sizes[0]],
      ['B.PNG', sizes[1]],
    ])
    expect((found as [string, number][]).slice(2).map(([name]) => name)).toEqual([
      'large.png',
      'baby.png',
      'set/bird.png',
    ])
  })

  test('stays flat when a subset is narrowed again', async () => {
    const twice = subset(subset(await folder('train', 'GT'), [2, 1, 0]), [0, 2])
    expect(twice.spec).toMatchObject({ kind: 'subset', of: { kind: 'files' }, indices: [2, 0] })
    expect(namesOf(await openSource(structuredClone(twice.spec)))).toEqual(namesOf(twice))
  })

  test('is detected from a path', async () => {
    mkdirSync(at('tars'))
    writeFileSync(at('tars', 'x.tar'), '')
    const paths = [at('train'), at('tars'), at('tars', 'x.tar'), lmdb, at('train', 'list.txt')]
    const kinds = await Promise.all(paths.map(async (path) => (await specOf(path)).kind))
    expect(kinds).toEqual(['folder', 'shards', 'shards', 'lmdb', 'list'])
    const one = await openSource(await specOf(at('train', 'GT', 'b.png')))
    expect(namesOf(one)).toEqual(['b.png'])
    await expect(specOf(at('nothing'))).rejects.toThrow('nothing: cannot be read (ENOENT')
  })
})

describe('pairs', () => {
  test('are matched by a template, by path, by name and by order', async () => {
    const gt = await folder('train', 'GT')
    const lq = await folder('train', 'LQ')
    const [, byTemplate] = pairSources(gt, [lq], { match: '{name}x2' })
    expect(namesOf(byTemplate)).toEqual(['Bx2.png', 'zx2.jpg', 'bx2.png'])
    expect(namesOf(pairSources(gt, [lq], { match: 'order' })[1])).toEqual(['Bx2.png', 'bx2.png', 'zx2.jpg'])
    expect(namesOf(pairSources(gt, [gt])[1])).toEqual(namesOf(gt))
    expect(namesOf(pairSources(gt, [gt], { match: 'name' })[1])).toEqual(namesOf(gt))
    const pngs = pairSources(gt, [lq], { match: '{name}x2.png', missing: 'skip' })
    expect(pngs.map(namesOf)).toEqual([
      ['B.PNG', 'b.png'],
      ['Bx2.png', 'bx2.png'],
    ])
  })

  test('that are missing are named for either side, or dropped from all sources', async () => {
    const gt = await folder('train', 'GT')
    const some = subset(gt, [0])
    const most = subset(gt, [0, 1])
    expect(() => pairSources(gt, [some])).toThrow(
      /expected partners by path for all images of .*, found none for a\/z.png, b.png; add/,
    )
    expect(() => pairSources(some, [gt])).toThrow('found none for a/z.png, b.png')
    const [first, last] = [subset(gt, [0, 1]), subset(gt, [1, 2])]
    expect(() => pairSources(first, [last])).toThrow(/found none for B.PNG; .*found none for b.png; add/)
    expect(pairSources(gt, [most, some], { missing: 'skip' }).map(namesOf)).toEqual(Array(3).fill(['B.PNG']))
    expect(() => pairSources(some, [stranger], { missing: 'skip' })).toThrow(
      'found none (for example for B.PNG)',
    )
  })

  const stranger: ImageSource = {
    length: 1,
    name: () => 'other.png',
    read: async () => new Uint8Array(),
    size: async () => ({ width: 1, height: 1, format: 'png' }),
    spec: { kind: 'files', root: '', names: ['other.png'] },
    close: async () => {},
  }

  test('by name are rejected if a name occurs twice', async () => {
    await save(8, 6, 'twice', 'b.png')
    await save(8, 6, 'twice', 'a', 'b.png')
    const twice = await folder('twice')
    expect(() => pairSources(twice, [twice], { match: 'name' })).toThrow(
      'expected one image for b, got a/b.png and b.png; match by path',
    )
  })

  test('of folders are found by their names, at any depth', async () => {
    for (const word of ['noisy', 'rainy']) {
      await save(8, 6, 'universal', word, 'LQ', 'a.png')
      await save(8, 6, 'universal', word, 'GT', 'a.png')
    }
    expect(await findPairs(at('universal'))).toEqual(
      ['noisy', 'rainy'].map((label) => {
        const input = at('universal', label, 'LQ')
        return { label, input, target: at('universal', label, 'GT') }
      }),
    )
    expect(await findPairs(at('train'))).toEqual([
      { label: '', input: at('train', 'LQ'), target: at('train', 'GT') },
    ])
    await expect(findPairs(at('empty'))).rejects.toThrow('expected a pair of folders (lq/gt, ')
    await expect(findPairs(at('none'))).rejects.toThrow('cannot be read')
  })
})

describe('checkSources', () => {
  test('reports progress, returns sizes, and names broken or small images', async () => {
    await save(8, 6, 'mixed', 'good.png')
    await save(3, 9, 'mixed', 'small.png')
    writeFileSync(at('mixed', 'torn.png'), '<html>')
    const source = await folder('mixed')
    const steps: number[] = []
    const options = {
      minimumPx: 4,
      unusable: 'skip',
      onProgress: (done: number) => steps.push(done),
    } as const
    const { sources, sizes, rejected } = await checkSources([source], options)
    expect(steps).toEqual([1, 2, 3])
    expect([namesOf(sources[0]), sizes]).toEqual([['good.png'], [{ width: 8, height: 6, format: 'png' }]])
    expect(rejected.map(({ name }) => name)).toEqual(['small.png', 'torn.png'])
    expect(rejected[0]?.reason).toBe('3 × 9, below 4 pixels')
    expect(rejected[1]?.reason).toMatch(/^expected a readable still image, got: a web page/)
    await expect(checkSources([source], { minimumPx: 4 })).rejects.toThrow(
      /expected all 3 to be usable, 2 are not: small.png \(3 × 9, below 4 pixels\), torn.png \(.*a web page/,
    )
    await expect(checkSources([source], { minimumPx: 40, unusable: 'skip' })).rejects.toThrow('got none of 3')
  })

  test('compares partners at the given scale', async () => {
    const gt = await folder('train', 'GT')
    const lq = await folder('train', 'LQ')
    const [target, input] = pairSources(gt, [lq], { match: '{name}x2' }) as [ImageSource, ImageSource]
    expect((await checkSources([target, input], { scale: 2 })).rejected).toEqual([])
    await save(8, 5, 'flat', 'B.png')
    const flat = await folder('flat')
    await expect(checkSources([subset(target, [0]), flat])).rejects.toThrow('its partner 8 × 5, not the same')
    await expect(checkSources([target, input])).rejects.toThrow(
      'B.PNG (8 × 6, its partner 4 × 3, not the same)',
    )
  })
})
