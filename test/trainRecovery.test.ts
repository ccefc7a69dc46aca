// How a training goes on after trouble: a loss that is not finite, changed settings, damaged images.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readCheckpoint } from '../src/checkpoints/files.ts'
import { type LoopOptions, runLoop } from '../src/train/loop.ts'
import type { OpenImages } from '../src/train/samples/images.ts'
import { type TrainOptions, train } from '../src/train/train.ts'
import { libtorchMissing } from './libtorch.ts'
import { writePictures } from './recipes/images.ts'
import { recipe } from './recipes/tiny.ts'
import { onPictures, prepareTraining } from './training.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-recovery-'))
const at = (...names: string[]) => join(dir, ...names)
const limit = { timeout: 120_000 }
let url = ''

interface Run extends Partial<Pick<LoopOptions, 'isResumed' | 'acceptsChanges' | 'onNote'>> {
  readonly images?: string
  readonly unusable?: OpenImages['unusable']
}

/** Trains the tiny recipe in this process. */
async function trainOn(out: string, settings: Readonly<Record<string, string>>, options: Run = {}) {
  const { images = at('images'), unusable, isResumed = false, ...rest } = options
  const module = onPictures(url, images, { 'validate.images.root': at('images'), ...settings })
  const { run, identity, openLoader } = await prepareTraining(module, { unusable })
  mkdirSync(out, { recursive: true })
  return await runLoop(run, { folder: out, identity, openLoader, isResumed, ...rest })
}

function linesIn(folder: string): readonly { kind: string; step: number; text?: string }[] {
  const lines = readFileSync(join(folder, 'log.jsonl'), 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line))
}

const notesIn = (folder: string) => linesIn(folder).filter(({ kind }) => kind === 'note')

function weightsIn(folder: string): readonly (readonly [string, string])[] {
  const { tensors } = readCheckpoint(join(folder, 'weights.safetensors'))
  return [...tensors].map(([key, stored]) => [key, Buffer.from(stored.read()).toString('base64')] as const)
}

beforeAll(async () => {
  url = new URL('recipes/tiny.ts', import.meta.url).href
  await writePictures(at('images'), 5)
  await writePictures(at('other'), 4)
  await writePictures(at('damaged'), 6)
  // A good header, and half of the pixels.
  const cut = at('damaged', '2.png')
  const whole = readFileSync(cut)
  truncateSync(cut, whole.length >> 1)
  await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } }).toFile(
    at('damaged', '3.png'),
  )
  writeFileSync(at('damaged', '4.png'), 'no image')
})

afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe.skipIf(libtorchMissing !== undefined)('a training', () => {
  test('whose numbers are not finite advises what can help', limit, async () => {
    const start = { learningRate: '1e30', maxGradNorm: '1e30' }
    await expect(trainOn(at('early'), start)).rejects.toThrow(
      /step 1: expected a finite loss, got .* on \d\.png.*; no state is saved yet: start again with a lower learning rate/,
    )
    await expect(trainOn(at('poisoned'), { ...start, saveEvery: '1' })).rejects.toThrow(
      /the state of step 1 gives it already, .* other data .* or start a new training/,
    )
    await trainOn(at('late'), { steps: '3' })
    const resumed = { isResumed: true, acceptsChanges: true }
    const intact = 'the state of step 3 is intact: go on from it with a lower learning rate'
    await expect(trainOn(at('late'), { ...start, saveEvery: '9' }, resumed)).rejects.toThrow(
      new RegExp(`step 4: expected a finite loss, got .*; ${intact}.*--resume --accept-changes`),
    )
    const endless = { ...start, learningRate: '1e39', saveEvery: '4' }
    await expect(trainOn(at('late'), endless, resumed)).rejects.toThrow(
      new RegExp(`step 4: expected finite weights, got -?(Infinity|NaN) in model\\..*; ${intact}`),
    )
    const { step } = await trainOn(at('late'), { learningRate: '1e-5', steps: '5' }, resumed)
    expect(step).toBe(5)
    const changed = notesIn(at('late'))
    expect(changed).toEqual([
      { kind: 'note', step: 3, time: expect.any(Number), text: expect.stringContaining('learningRate was') },
    ])
    // The state has the new settings now.
    await trainOn(at('late'), { learningRate: '1e-5', steps: '6' }, { isResumed: true })
  })

  test('goes on with other data and settings only where that is asked for', limit, async () => {
    await trainOn(at('changed'), { steps: '3' })
    const before = weightsIn(at('changed'))
    const other = { images: at('other'), isResumed: true }
    await expect(trainOn(at('changed'), { steps: '5', seed: '2' }, other)).rejects.toThrow(
      /recipe\.seed was 1, is 2; data\.images was 5, is 4; .*; revert them, go on with them by --accept-changes, or start/,
    )
    expect(weightsIn(at('changed'))).toEqual(before)
    const notes: string[] = []
    const options = { ...other, acceptsChanges: true, onNote: (note: string) => notes.push(note) }
    await trainOn(at('changed'), { steps: '5', seed: '2' }, options)
    expect(notes).toEqual([
      expect.stringContaining('resumed with changes: recipe.seed was 1, is 2; data.images'),
    ])
    expect(notesIn(at('changed')).map(({ text }) => text)).toEqual(notes)
    const network = { 'network.options.dim': '8', steps: '6' }
    await expect(trainOn(at('changed'), network, { ...options })).rejects.toThrow(/expected model\..* got \[/)
  })

  test('names unusable images, and leaves them out where that is asked for', limit, async () => {
    const onDamaged = { images: at('damaged') }
    await expect(trainOn(at('refused'), { steps: '2' }, onDamaged)).rejects.toThrow(
      /expected all 6 to be usable, 1 are not: 4\.png .*; fix them, or leave them out with --skip-unusable/,
    )
    const small = { steps: '8', 'data.frame': '16' }
    const notes: string[] = []
    const skipping = { ...onDamaged, unusable: 'skip', onNote: (note: string) => notes.push(note) } as const
    const { leftOut } = await trainOn(at('skipped'), small, skipping)
    expect(leftOut.map(({ name }) => name)).toEqual(['2.png'])
    expect(notes).toEqual([
      expect.stringMatching(/^left out 2\.png: expected a readable .*truncated or damaged/),
    ])
    expect(notesIn(at('skipped')).map(({ text }) => text)).toEqual(notes)
    // The same batches, whichever steps are done in one go.
    await trainOn(at('in-parts'), { ...small, steps: '3' }, skipping)
    await trainOn(at('in-parts'), small, { ...skipping, isResumed: true })
    expect(weightsIn(at('in-parts'))).toEqual(weightsIn(at('skipped')))
  })

  test('of a program reports images that were left out and a schedule that is cut short', limit, async () => {
    const notes: string[] = []
    const options: TrainOptions = {
      out: at('program'),
      data: at('damaged'),
      settings: [
        ['validate.images.root', at('images')],
        ['data.frame', '16'],
        ['steps', '4'],
      ],
      ...{ device: 'cpu', threads: 1, skipUnusable: true, onNote: (note) => notes.push(note) },
    }
    await expect(train(recipe, { ...options, acceptChanges: true })).rejects.toThrow(
      'acceptChanges: expected resume beside it',
    )
    const { leftOut } = await train(recipe, options)
    expect(leftOut.map(({ name }) => name)).toEqual(['4.png', '2.png'])
    expect(notes[0]).toMatch(
      /^steps: the learning rate ends at 0\.\d+ after 4 steps, its schedule falls to .* in 20; set the number/,
    )
    expect(notes.filter((note) => note.startsWith('left out')).length).toBe(2)
  })
})
