import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { tiffOf } from '../../../test/tiffs.ts'
import { planRestore } from '../restore/restorePlan.ts'
import { type ListOptions, listInputs, patternOf } from './inputs.ts'
import { refuseCollisions } from './outputPlan.ts'

/** A folder that may not be listed, which those of the superuser always may. */
const unreadable = { value: undefined as string | undefined }
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  const readdir = (folder: string, options: object) => {
    if (folder === unreadable.value)
      throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
    return fs.readdirSync(folder, options)
  }
  return { ...fs, readdirSync: readdir }
})

/** A path whose name has a byte that is not UTF-8. */
function latin1(folder: string, start: string, end: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/${start}`), Buffer.of(0xe9), Buffer.from(end)])
}

const dir = mkdtempSync(join(tmpdir(), 'limpid-inputs-'))
const at = (...names: string[]) => join(dir, ...names)

beforeAll(() => {
  for (const folder of ['photos/day 2/raw', 'photos/.cache', 'photos/__MACOSX', 'photos/out', 'empty'])
    mkdirSync(at(folder), { recursive: true })
  const files = [
    'photos/10.jpg',
    'photos/9.JPG',
    'photos/notes.txt',
    'photos/._9.jpg',
    'photos/.cache/x.png',
    'photos/__MACOSX/x.png',
    'photos/day 2/b.bmp',
    'photos/day 2/raw/c.png',
    'photos/out/old.png',
  ]
  for (const file of files) writeFileSync(at(file), '')
  symlinkSync(at('photos'), at('photos/day 2/loop'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const names = (list: { files: readonly { name: string }[] }) => list.files.map(({ name }) => name)

describe('inputs', () => {
  test('of a folder are its images, in the order of their numbers', () => {
    expect(names(listInputs([at('photos')], {}))).toEqual(['9.JPG', '10.jpg'])
  })

  test('of its folders too are told by --recursive, without hidden ones, results and loops', () => {
    const list = listInputs([at('photos')], { recursive: true, except: at('photos/out') })
    expect(names(list)).toEqual(['9.JPG', '10.jpg', 'day 2/b.bmp', 'day 2/raw/c.png'])
  })

  test('of a pattern keep what is below its folder, and count once', () => {
    expect(names(listInputs([at('photos/*.jpg')], {}))).toEqual(['10.jpg'])
    expect(names(listInputs([at('photos/**/*.{png,bmp}')], {}))).toEqual([
      'day 2/b.bmp',
      'day 2/raw/c.png',
      'out/old.png',
    ])
    const twice = listInputs([at('photos/10.jpg'), at('photos/1?.[jJ]pg')], {})
    expect([names(twice), twice.isMany]).toEqual([['10.jpg'], true])
  })

  test('of a folder go on past what cannot be read, and tell it', () => {
    mkdirSync(at('mixed/closed'), { recursive: true })
    mkdirSync(at('mixed/open'))
    writeFileSync(at('mixed/open/a.png'), '')
    writeFileSync(latin1(at('mixed'), 'b', '.png'), '')
    mkdirSync(latin1(at('mixed'), 'c', ''))
    execFileSync('mkfifo', [at('mixed/d.png'), at('mixed/d.txt')])
    symlinkSync(at('nowhere'), at('mixed/e.png'))
    unreadable.value = at('mixed/closed')
    const told = (given: string, options: ListOptions) => {
      const { failed } = listInputs([given], options)
      return failed
        .map(({ error }) => (error instanceof Error ? error.message.replace(`${dir}/`, '') : ''))
        .sort()
    }
    const file = [
      'mixed/b\uFFFD.png: expected a name in UTF-8, got other bytes; rename it',
      'mixed/d.png: expected a file, got a pipe or device; give it by its name',
    ]
    const folders = [
      'mixed/c\uFFFD: expected a name in UTF-8, got other bytes; rename it',
      'mixed/closed: cannot be read (EACCES: permission denied; check its permissions)',
    ]
    expect(told(at('mixed'), {})).toEqual(file)
    expect(told(at('mixed'), { recursive: true })).toEqual([...file, ...folders].sort())
    expect(told(at('mixed/**/*.png'), {})).toEqual([...file, ...folders].sort())
    expect(names(listInputs([at('mixed')], { recursive: true }))).toEqual(['e.png', 'open/a.png'])
    expect(() => listInputs([at('mixed/closed')], {})).toThrow('closed: cannot be read (EACCES')
    unreadable.value = undefined
  })

  test('a file that is not there is an input that will fail, alone', () => {
    expect(listInputs([at('none.jpg')], {})).toEqual({
      failed: [],
      files: [{ path: at('none.jpg'), name: 'none.jpg' }],
      isMany: false,
    })
  })

  test.each([
    ['empty', 'pnm), found none; --recursive'],
    ['photos/*.gif', 'expected a pattern that some file matches, got one that none does'],
    ['nowhere/*.gif', 'expected a pattern that some file matches'],
  ])('%s is refused', (path, message) => {
    expect(() => listInputs([at(path)], {})).toThrow(message)
  })

  test.each([
    ['*.jpg', 'a.jpg', true],
    ['*.jpg', 'a/b.jpg', false],
    ['**/*.jpg', 'a/b/c.jpg', true],
    ['**/*.jpg', 'c.jpg', true],
    ['a+(b).png', 'a+(b).png', true],
    ['[!a]?.png', 'bc.png', true],
    ['[!a]?.png', 'ac.png', false],
    ['{a,b}.png', 'b.png', true],
    ['a,b.png', 'a,b.png', true],
    ['a.png', 'abpng', false],
  ])('pattern %s for %s: %s', (pattern, name, matches) => {
    expect(patternOf(pattern)(name)).toBe(matches)
  })
})

describe('results', () => {
  const outputs = async (inputs: string[], options = {}) => {
    const { jobs } = await planRestore(inputs, options)
    return jobs.map(({ output, format }) => `${output.replace(dir, '')} ${format}`)
  }

  test('of one picture go beside it under a name of their own, or to the file that is named', async () => {
    expect(await outputs([at('photos/10.jpg')])).toEqual(['/photos/10_restored.jpg jpg'])
    expect(await outputs([at('photos/9.JPG')])).toEqual(['/photos/9_restored.JPG jpg'])
    expect(await outputs([at('photos/day 2/b.bmp')])).toEqual(['/photos/day 2/b_restored.png png'])
    expect(await outputs([at('photos/10.jpg')], { output: at('x.webp') })).toEqual(['/x.webp webp'])
    expect(await outputs([at('photos/10.jpg')], { output: at('x.dat'), format: 'tiff' })).toEqual([
      '/x.dat tiff',
    ])
  })

  test('keep their names in another folder, and never meet their inputs', async () => {
    expect(await outputs([at('photos/10.jpg')], { output: at('empty') })).toEqual(['/empty/10.jpg jpg'])
    expect(await outputs([at('photos/10.jpg')], { output: at('photos') })).toEqual([
      '/photos/10_restored.jpg jpg',
    ])
    expect(await outputs([at('photos/10.jpg')], { output: at('empty/'), format: 'png' })).toEqual([
      '/empty/10.png png',
    ])
  })

  test('of a run before, beside their inputs, are no inputs', async () => {
    const input = at('photos/10.jpg')
    const result = at('photos/10_restored.jpg')
    writeFileSync(result, '')
    const { jobs, earlier } = await planRestore([at('photos/10*.jpg')], {})
    expect([jobs.map(({ path }) => path), earlier]).toEqual([[input], [result]])
    expect((await planRestore([result], {})).jobs).toHaveLength(1)
    rmSync(result)
  })

  test('of a folder keep its tree, in a folder beside it unless told otherwise', async () => {
    const options = { recursive: true, output: at('photos/out') }
    expect(await outputs([at('photos')], options)).toEqual([
      '/photos/out/9.JPG jpg',
      '/photos/out/10.jpg jpg',
      '/photos/out/day 2/b.png png',
      '/photos/out/day 2/raw/c.png png',
    ])
    expect((await outputs([at('photos')]))[0]).toBe('/photos_restored/9.JPG jpg')
  })

  test('of pages are named by their numbers, which sort; all of a pipe or into one file are refused', async () => {
    const page = { width: 2, height: 2, gray: 9 }
    writeFileSync(at('scan.tif'), tiffOf(Array(11).fill(page)))
    const all = await outputs([at('scan.tif'), at('photos/10.jpg')], { output: at('o'), pages: 'all' })
    expect([all.length, all[1], all[10]]).toEqual([11, '/o/scan_page-02.tif tif', '/o/scan_page-11.tif tif'])
    expect(await outputs([at('scan.tif')], { pages: 3 })).toEqual(['/scan_page-03_restored.tif tif'])
    expect(await outputs([at('scan.tif')], { pages: 3, output: at('x.png') })).toEqual(['/x.png png'])
    await expect(outputs([at('scan.tif')], { pages: 'all', output: at('x.png') })).rejects.toThrow(
      '--output: expected a folder for 11 pictures, got',
    )
    await expect(outputs(['-'], { pages: 'all' })).rejects.toThrow(
      '--pages all: expected files, whose pages can be counted, got -; give the number of a page',
    )
  })

  test('of stdin go to stdout', async () => {
    expect(await outputs(['-'])).toEqual(['- png'])
    expect(await outputs(['-'], { output: at('empty') })).toEqual(['/empty/stdin.png png'])
    expect(await outputs([at('photos/10.jpg')], { output: '-' })).toEqual(['- jpg'])
  })

  test.each([
    [[at('photos')], { output: at('photos/10.jpg') }, 'expected a folder for 2 pictures, got'],
    [[at('photos')], { output: '-' }, 'expected a folder for 2 pictures, got -'],
    [[at('photos')], { output: at('new.png') }, 'expected a folder for 2 pictures'],
    [[at('photos/10.jpg')], { output: at('x.bmp') }, 'expected one of png'],
    [[at('photos')], { format: 'bmp' }, 'expected one of png'],
    [
      [
        at('photos/10.jpg'),
        at('photos/9.JPG'),
        at('empty/../photos/out/old.png'),
        at('photos/day 2/raw/c.png'),
      ],
      { output: at('o'), format: 'png' },
      undefined,
    ],
  ])('%j with %j', async (inputs, options, message) => {
    if (message) await expect(planRestore(inputs, options)).rejects.toThrow(message)
    else expect((await planRestore(inputs, options)).jobs).toHaveLength(4)
  })

  test('that would meet are refused before anything is restored', async () => {
    writeFileSync(at('photos/10.png'), '')
    const { jobs } = await planRestore([at('photos')], { output: at('o'), format: 'webp' })
    expect(() => refuseCollisions(jobs)).toThrow('expected a result of its own for each input, got')
    rmSync(at('photos/10.png'))
  })
})
