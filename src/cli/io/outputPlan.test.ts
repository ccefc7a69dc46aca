// `-o` means the same for every command: which files it stands for, and what is refused before work starts.

import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { writeTinyWeights } from '../../../test/batches.ts'
import { tarParts } from '../../data/sources/tar.ts'
import { buildProgram } from '../buildProgram.ts'
import { planRestore } from '../restore/restorePlan.ts'
import { checkOutput, fileOf, placeKey, planOutputs, refuseCollisions, targetOf } from './outputPlan.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-outputs-'))
const at = (...names: string[]) => join(dir, ...names)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** As long as file systems take. */
const long = `${'y'.repeat(251)}.png`

const picture = (shade: number) =>
  sharp({ create: { width: 16, height: 16, channels: 3, background: { r: shade, g: 90, b: 30 } } })

beforeAll(async () => {
  for (const folder of ['in/sub', 'other', 'there', 'long', 'archive', 'database'])
    mkdirSync(at(folder), { recursive: true })
  for (const name of ['in/a.png', 'in/sub/b.jpg', 'other/a.png', 'other/c.png'])
    await picture(name.length).toFile(at(name))
  symlinkSync(at('in'), at('link'))
  symlinkSync(at('nowhere.png'), at('lost.png'))
  writeFileSync(at('kept.json'), '{}')
  execFileSync('mkfifo', [at('pipe')])
  const bytes = await picture(3).png().toBuffer()
  writeFileSync(at('long', long), bytes)
  const member = { name: '../a.png', size: bytes.length, modified: 0, read: () => bytes }
  writeFileSync(at('archive/x.tar'), Buffer.concat([...tarParts([member])]))
  const keys = readFileSync(
    new URL('../../../test/golden/lmdb/images.lmdb/data.mdb', import.meta.url),
    'latin1',
  )
  writeFileSync(at('database/data.mdb'), keys.replace('set/bird', '../../xx'), 'latin1')
  writeTinyWeights(at('w.safetensors'))
})

/** Files below a folder, sorted. */
function filesIn(folder: string): readonly string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
    .sort()
}

/** Runs a command in this process; the files that it added. */
async function added(...words: readonly string[]): Promise<readonly string[]> {
  const before = new Set(filesIn(dir))
  const print = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  try {
    await buildProgram().parseAsync(['--quiet', ...words], { from: 'user' })
  } finally {
    print.mockRestore()
  }
  return filesIn(dir).filter((name) => !before.has(name))
}

const degrade = ['--with', 'noise:sigma=5']
const restore = ['--weights', at('w.safetensors'), '--threads', '1', '--device', 'cpu']
const hidden = (name: string) => !name.includes('.limpid-')

describe('a path given as an output', { timeout: 60_000 }, () => {
  beforeEach(() => {
    for (const name of ['new', 'new.png', 'new.safetensors', 'maps'])
      rmSync(at(name), { recursive: true, force: true })
    rmSync(at('there'), { recursive: true, force: true })
    mkdirSync(at('there'))
  })

  test.each<[string, readonly string[], readonly string[]]>([
    ['one input, a name: a file', ['degrade', at('in/a.png'), '-o', at('new.png'), ...degrade], ['new.png']],
    [
      'one input, a name without extension: a file',
      ['degrade', at('in/a.png'), '-o', at('new'), ...degrade],
      ['new'],
    ],
    [
      'one input, a separator at the end: a folder',
      ['degrade', at('in/a.png'), '-o', `${at('new')}/`, ...degrade],
      ['new/a.png'],
    ],
    [
      'one input, a folder that exists',
      ['degrade', at('in/a.png'), '-o', at('there'), ...degrade],
      ['there/a.png'],
    ],
    [
      'parents that are missing',
      ['degrade', at('in/a.png'), '-o', at('new/x/y.png'), ...degrade],
      ['new/x/y.png'],
    ],
    ['a folder as input', ['degrade', at('in'), '-o', at('new'), ...degrade], ['new/a.png']],
    [
      'its folders too',
      ['degrade', at('in'), '-o', at('new'), '--recursive', ...degrade],
      ['new/a.png', 'new/sub/b.png'],
    ],
    [
      'the name of a format in capitals',
      ['degrade', at('in/a.png'), '-o', `${at('new')}/`, '--format', 'TIFF', ...degrade],
      ['new/a.tiff'],
    ],
    [
      'an extension that is no picture’s',
      ['degrade', at('in/a.png'), '-o', at('new/x.data'), '--format', 'webp', ...degrade],
      ['new/x.data'],
    ],
    [
      'several inputs',
      ['degrade', at('in/a.png'), at('in/sub/b.jpg'), '-o', at('new'), ...degrade],
      ['new/a.png', 'new/b.png'],
    ],
    ['restore: a file', ['restore', at('in/a.png'), '-o', at('new/x.png'), ...restore], ['new/x.png']],
    ['restore: a folder', ['restore', at('in/a.png'), '-o', `${at('new')}/`, ...restore], ['new/a.png']],
    [
      'restore: a tree',
      ['restore', at('in'), '-o', at('new'), '--recursive', ...restore],
      ['new/a.png', 'new/sub/b.jpg'],
    ],
    [
      'compare: a file',
      ['compare', at('in/a.png'), at('other/a.png'), '--map', at('maps/m.png')],
      ['maps/m.png'],
    ],
    [
      'compare: a folder for one',
      ['compare', at('in/a.png'), at('other/c.png'), '--map', `${at('maps')}/`],
      ['maps/c.png'],
    ],
    [
      'compare: a folder for folders',
      ['compare', at('other'), at('other'), '--map', at('maps')],
      ['maps/a.png', 'maps/c.png'],
    ],
    ['convert: a file', ['convert', at('w.safetensors'), at('new/x.safetensors')], ['new/x.safetensors']],
    ['convert: a folder', ['convert', at('w.safetensors'), `${at('new')}/`], ['new/w.safetensors']],
    [
      'eval: reports',
      [
        'eval',
        '--none',
        '--data',
        at('other'),
        '--degrade',
        'noise',
        '--metrics',
        'psnr',
        '--report',
        at('new/r.json'),
        '--html',
        at('new/r.html'),
      ],
      ['new/r.html', 'new/r.json'],
    ],
    [
      'pack: a folder',
      ['pack', at('other'), '-o', at('new/shards')],
      ['new/shards/index.json', 'new/shards/shard-000000.tar'],
    ],
  ])('%s', async (_, words, wanted) => {
    expect((await added(...words)).filter(hidden)).toEqual(wanted)
  })

  test.each<[string, readonly string[], string]>([
    [
      'several inputs for stdout',
      ['degrade', at('other'), '-o', '-', ...degrade],
      '--output: expected a folder for 2 pictures, got -',
    ],
    [
      'several inputs for a file',
      ['restore', at('in'), '-o', at('w.safetensors'), '--recursive', ...restore],
      'expected a folder for 2 pictures',
    ],
    [
      'several inputs for the name of a picture',
      ['degrade', at('other'), '-o', at('new.png'), ...degrade],
      'expected a folder for 2 pictures',
    ],
    [
      'several maps for a file',
      ['compare', at('other'), at('other'), '--map', at('new.png')],
      '--map: expected a folder for 2 pictures',
    ],
    [
      'two inputs of one name',
      ['degrade', at('in/a.png'), at('other/a.png'), '-o', at('new'), ...degrade],
      'expected a result of its own for each input',
    ],
    [
      'two inputs of one name, restored',
      ['restore', at('in/a.png'), at('other/a.png'), '-o', at('new'), ...restore],
      'expected a result of its own for each input',
    ],
    [
      'the input itself',
      ['degrade', at('in/a.png'), '-o', at('in/a.png'), '--overwrite', ...degrade],
      'expected an output other than the inputs',
    ],
    [
      'the input by another name',
      ['restore', at('in/a.png'), '-o', at('link/a.png'), '--overwrite', ...restore],
      'expected an output other than the inputs',
    ],
    [
      'its own folder',
      ['degrade', at('other'), '-o', at('other'), '--overwrite', ...degrade],
      'expected an output other than the inputs',
    ],
    [
      'the reference',
      ['compare', at('in/a.png'), at('other/a.png'), '--map', at('in/a.png'), '--overwrite'],
      'expected an output other than the inputs',
    ],
    [
      'a file as folder',
      ['convert', at('w.safetensors'), at('in/a.png/x.safetensors')],
      `expected a folder ${at('in/a.png')}, got a file`,
    ],
    [
      'an existing report',
      ['eval', '--none', '--data', at('other'), '--degrade', 'noise', '--report', at('kept.json')],
      'exists already',
    ],
    [
      'a name of another format',
      ['degrade', at('in/a.png'), '-o', at('new.png'), '--format', 'tiff', ...degrade],
      'new.png: expected a name that fits the format tiff, got one of png; name it .tiff',
    ],
    [
      'a name of a format that is only read',
      ['restore', at('in/a.png'), '-o', at('new.bmp'), '--format', 'png', ...restore],
      'expected a name that fits the format png, got one of bmp',
    ],
    [
      'stdin among inputs beside which results go',
      ['restore', at('in/a.png'), '-', ...restore],
      '-: expected -o with a folder for the results, got none',
    ],
    [
      'stdin to go on with',
      ['restore', '-', '-o', `${at('new')}/`, '--resume', ...restore],
      '--resume: expected files, which tell whether they have changed, got -',
    ],
    [
      'a pipe without a place',
      ['restore', at('pipe'), ...restore],
      'pipe: expected -o with a file for the result, got none',
    ],
    [
      'a report in the place of an input',
      [
        'restore',
        at('in/a.png'),
        '-o',
        at('new.png'),
        '--report',
        at('link/a.png'),
        '--overwrite',
        ...restore,
      ],
      'a.png: expected a name for a document, such as report.json',
    ],
    [
      'a report in the place of weights',
      ['detect', at('in/a.png'), '--report', at('w.safetensors'), '--overwrite'],
      'w.safetensors: expected a name for a document, such as report.json',
    ],
    [
      'a sample in the place of an input',
      ['restore', at('other/x-1.png'), '-o', at('other/x.png'), '--samples', '2', '--overwrite', ...restore],
      'expected an output other than the inputs',
    ],
    [
      'a link that leads nowhere',
      ['degrade', at('in/a.png'), '-o', at('lost.png'), ...degrade],
      'lost.png: expected a file to write, got a link that leads nowhere',
    ],
    [
      'a name that is too long with its suffix',
      ['restore', at('long', long), ...restore],
      'cannot be written: the name is too long for the file system (ENAMETOOLONG)',
    ],
    [
      'a name that is too long in a folder that is not there yet',
      ['degrade', at('in/a.png'), '-o', at('new/x', `x${long}`), ...degrade],
      'cannot be written: the name is too long for the file system (ENAMETOOLONG)',
    ],
    [
      'a page whose name is too long',
      ['restore', at('long', long), '-o', `${at('new')}/`, '--compare', ...restore],
      'cannot be written: the name is too long for the file system (ENAMETOOLONG)',
    ],
    [
      'names of an archive that lead out of the folder',
      ['compare', at('archive'), at('archive'), '--map', at('new')],
      '"../a.png": expected the name of a file in',
    ],
    [
      'keys of a database that lead out of the folder',
      ['compare', at('database'), at('database'), '--map', at('new')],
      '"../../xx": expected the name of a file in',
    ],
    [
      'a document and a picture on stdout',
      ['degrade', at('in/a.png'), '-o', '-', '--json', ...degrade],
      '--json: expected results in files',
    ],
  ])('refuses %s, and writes nothing', async (_, words, message) => {
    const before = filesIn(dir)
    await expect(added(...words)).rejects.toThrow(message)
    expect(filesIn(dir)).toEqual(before)
    expect(existsSync(at('new'))).toBe(false)
  })
})

test('a folder of results inside the folder of inputs is not read, whatever its name', async () => {
  mkdirSync(at('in/out'), { recursive: true })
  writeFileSync(at('in/out/old.png'), '')
  symlinkSync(at('in/out'), at('results'))
  const inputs = async (output: string) => {
    const { jobs } = await planRestore([at('in')], { output, recursive: true })
    return jobs.map(({ name }) => name)
  }
  for (const output of ['in/out', 'link/out', 'results'])
    expect(await inputs(at(output))).toEqual(['a.png', 'sub/b.jpg'])
  expect(await inputs(at('there'))).toContain('out/old.png')
  rmSync(at('in/out'), { recursive: true })
})

test.each([
  ['a.png', true],
  ['sub/..a.png', true],
  ['sub/../a.png', true],
  ['/etc/a.png', true],
  ['../a.png', false],
  ['sub/../../a.png', false],
  ['..', false],
  ['a\0.png', false],
])('the name %j stays in its folder: %s', (name, stays) => {
  const plan = () =>
    planOutputs(
      [{ path: '-', name }],
      { kind: 'folder', path: at('new') },
      { format: 'png', formatOf: () => 'png' },
    )
  if (stays) expect(plan()[0]?.output.startsWith(at('new'))).toBe(true)
  else expect(plan).toThrow('got one that leads elsewhere')
})

test('places are the same by any name', () => {
  expect(placeKey(at('link/new/x.png'))).toBe(placeKey(at('in/new/x.png')))
  expect(placeKey(at('in/./a.png'))).toBe(placeKey(at('other/../in/a.png')))
  expect(placeKey('-')).toBe('-')
  expect(() =>
    refuseCollisions([{ path: at('other/a.png'), output: at('link/a.png') }], [at('in/a.png')]),
  ).toThrow('expected an output other than the inputs')
})

test.each([
  [at('in'), false, 'folder'],
  [at('none/'), false, 'folder'],
  [at('none'), false, 'file'],
  [at('none'), true, 'folder'],
  ['-', false, 'stdout'],
])('%s for many: %s is a %s', (path, isMany, kind) => {
  expect(targetOf(path, { option: '-o', count: isMany ? 2 : 1, isMany }).kind).toBe(kind)
})

test('the one file of a command has its own name in a folder', () => {
  expect(fileOf(at('there'), '-o', 'x.onnx')).toBe(at('there/x.onnx'))
  expect(fileOf(at('there/y.onnx'), '-o', 'x.onnx')).toBe(at('there/y.onnx'))
  expect(() => checkOutput(at('there'), true)).toThrow('expected a file to write, got a folder')
})
