import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { planRestore } from '../restore/restorePlan.ts'
import { listInputs, patternOf } from './inputs.ts'

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

  test('a file that is not there is an input that will fail, alone', () => {
    expect(listInputs([at('none.jpg')], {})).toEqual({
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
  const outputs = (inputs: string[], options = {}) => {
    return planRestore(inputs, options).jobs.map(
      ({ output, format }) => `${output.replace(dir, '')} ${format}`,
    )
  }

  test('of one picture go beside it under a name of their own, or to the file that is named', () => {
    expect(outputs([at('photos/10.jpg')])).toEqual(['/photos/10_restored.jpg jpg'])
    expect(outputs([at('photos/9.JPG')])).toEqual(['/photos/9_restored.JPG jpg'])
    expect(outputs([at('photos/day 2/b.bmp')])).toEqual(['/photos/day 2/b_restored.png png'])
    expect(outputs([at('photos/10.jpg')], { output: at('x.webp') })).toEqual(['/x.webp webp'])
    expect(outputs([at('photos/10.jpg')], { output: at('x.dat'), format: 'tiff' })).toEqual(['/x.dat tiff'])
  })

  test('keep their names in another folder, and never meet their inputs', () => {
    expect(outputs([at('photos/10.jpg')], { output: at('empty') })).toEqual(['/empty/10.jpg jpg'])
    expect(outputs([at('photos/10.jpg')], { output: at('photos') })).toEqual(['/photos/10_restored.jpg jpg'])
    expect(outputs([at('photos/10.jpg')], { output: at('empty/'), format: 'png' })).toEqual([
      '/empty/10.png png',
    ])
  })

  test('of a run before, beside their inputs, are no inputs', () => {
    const input = at('photos/10.jpg')
    const result = at('photos/10_restored.jpg')
    writeFileSync(result, '')
    const { jobs, earlier } = planRestore([at('photos/10*.jpg')], {})
    expect([jobs.map(({ path }) => path), earlier]).toEqual([[input], [result]])
    expect(planRestore([result], {}).jobs).toHaveLength(1)
    rmSync(result)
  })

  test('of a folder keep its tree, in a folder beside it unless told otherwise', () => {
    const options = { recursive: true, output: at('photos/out') }
    expect(outputs([at('photos')], options)).toEqual([
      '/photos/out/9.JPG jpg',
      '/photos/out/10.jpg jpg',
      '/photos/out/day 2/b.png png',
      '/photos/out/day 2/raw/c.png png',
    ])
    expect(outputs([at('photos')])[0]).toBe('/photos_restored/9.JPG jpg')
  })

  test('of stdin go to stdout', () => {
    expect(outputs(['-'])).toEqual(['- png'])
    expect(outputs(['-'], { output: at('empty') })).toEqual(['/empty/stdin.png png'])
    expect(outputs([at('photos/10.jpg')], { output: '-' })).toEqual(['- jpg'])
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
  ])('%j with %j', (inputs, options, message) => {
    if (message) expect(() => planRestore(inputs, options)).toThrow(message)
    else expect(planRestore(inputs, options).jobs).toHaveLength(4)
  })

  test('that would meet are refused before anything is restored', () => {
    writeFileSync(at('photos/10.png'), '')
    expect(() => planRestore([at('photos')], { output: at('o'), format: 'webp' })).toThrow(
      'expected a result of its own for each input, got',
    )
    rmSync(at('photos/10.png'))
  })
})
