// Training: completion, interruption and resumption, rejected settings, and output files.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readCheckpoint } from '../src/checkpoints/files.ts'
import { counterRandom } from '../src/core/random.ts'
import { loadModel } from '../src/registry/loadModel.ts'
import { lockName, takeFolder } from '../src/train/folderLock.ts'
import { runLoop } from '../src/train/loop.ts'
import { constant, warmup } from '../src/train/optimization/schedules.ts'
import { overfit } from '../src/train/overfit.ts'
import { checkRecipe, tryPhases } from '../src/train/preflight.ts'
import type { CompiledRecipe } from '../src/train/recipe/recipeFile.ts'
import { importRecipe } from '../src/train/recipe/recipeModule.ts'
import { train } from '../src/train/train.ts'
import type { TrainingProgress } from '../src/train/trainingProgress.ts'
import { writeLeftover } from './leftovers.ts'
import { libtorchMissing } from './libtorch.ts'
import { writePictures } from './recipes/images.ts'
import { recipe } from './recipes/tiny.ts'
import {
  compileForProcesses,
  onPictures,
  prepareTraining,
  startOnSmallDisk,
  startTraining,
  trainKilled,
} from './training.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-train-'))
const at = (...names: string[]) => join(dir, ...names)
const data = at('images')
const limit = { timeout: 120_000 }

const tensorsIn = (folder: string) => {
  const names = ['state', 'weights', 'best'].map((name) => join(folder, `${name}.safetensors`))
  return names.map((name) => {
    const { tensors } = readCheckpoint(name, { isWhole: true })
    return [...tensors].map(([key, stored]) => [key, Buffer.from(stored.read()).toString('base64')])
  })
}

const rowsIn = (folder: string): { kind: string; step: number; values: object }[] =>
  readFileSync(join(folder, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

const { href: url } = new URL('recipes/tiny.ts', import.meta.url)
/** For other processes. */
let built: CompiledRecipe

/** Trains in this process. */
async function trainHere(out: string, settings: Readonly<Record<string, string>> = {}, isResumed = false) {
  const { run, identity, openLoader } = await prepareTraining(onPictures(url, data, settings))
  mkdirSync(out, { recursive: true })
  return await runLoop(run, { folder: out, identity, isResumed, openLoader })
}

describe.skipIf(libtorchMissing !== undefined)('a training', () => {
  beforeAll(async () => {
    await writePictures(data, 5)
    built = await compileForProcesses('test/recipes/tiny.ts')
    const { code, stdout, stderr } = await startTraining(data, at('whole')).ended
    expect(stderr).toMatch(/step 1\/20 {2}loss 0\.\d+ {2}lr 0\.00100 {2}.* left/)
    expect([code, stdout.trim()]).toEqual([0, at('whole', 'weights.safetensors')])
  }, 120_000)

  afterAll(() => {
    built.dispose()
    rmSync(dir, { recursive: true, force: true })
  })

  test('writes loadable weights under official keys, with options, card and provenance', () => {
    const checkpoint = readCheckpoint(at('whole', 'weights.safetensors'))
    expect(loadModel(checkpoint).id).toBe('restormer')
    expect(checkpoint.tensors.has('encoder_level1.0.attn.qkv.weight')).toBe(true)
    const metadata = Object.fromEntries(checkpoint.metadata)
    expect(JSON.parse(metadata.options ?? '')).toMatchObject({ dim: 4 })
    expect(JSON.parse(metadata.card ?? '')).toEqual({ title: 'Tiny', task: 'denoise', license: 'academic' })
    const provenance = { recipe: 'tiny', steps: 20, seed: 1, averaged: true, data: { images: 5 } }
    expect(JSON.parse(metadata.provenance ?? '')).toMatchObject(provenance)
  })

  test('writes a log, TensorBoard events and a report with curves and images', () => {
    const rows = rowsIn(at('whole'))
    expect(rows.map(({ kind, step }) => `${kind} ${step}`)).toEqual([
      'train 5',
      'train 10',
      'validate 10',
      'train 15',
      'train 20',
      'validate 20',
    ])
    const columns = ['loss', 'learningRate', 'gradNorm', 'secondsPerStep', 'imagesPerSecond', 'dataWait']
    expect(Object.keys(rows[0]?.values ?? {})).toEqual(expect.arrayContaining(columns))
    const report = readFileSync(at('whole', 'report.html'), 'utf8')
    expect(report.match(/<polyline/g)?.length).toBeGreaterThan(4)
    expect(report.match(/data:image\/webp/g)).toHaveLength(3)
    expect(report).not.toMatch(/(src|href)="http/)
    const events = readdirSync(at('whole')).filter((name) => name.startsWith('events.out.tfevents.'))
    expect(events).toHaveLength(1)
  })

  test(
    'killed three times at random moments, ends with the weights of an undisturbed one',
    limit,
    async () => {
      const random = counterRandom(1)
      const module = onPictures(built.url, data)
      const hits = await trainKilled({ module, out: at('killed'), kills: 3 }, () => 6 * random.uniform())
      expect(hits).toBeGreaterThan(0)
      expect(tensorsIn(at('killed'))).toEqual(tensorsIn(at('whole')))
      expect(rowsIn(at('killed')).map(({ step }) => step)).toEqual([5, 10, 10, 15, 20, 20])
      expect(readdirSync(at('killed')).filter((name) => name.startsWith('.'))).toEqual([])
    },
  )

  test('saves when interrupted, exits with 130 and resumes to the same result', limit, async () => {
    const { child, ended } = startTraining(data, at('stopped'))
    child.stderr?.on('data', (text) => {
      if (String(text).includes('step ')) child.kill('SIGINT')
    })
    const { code, stderr } = await ended
    expect(stderr).toMatch(
      /interrupted after \d+ steps; .*state\.safetensors is saved, continue with --resume/,
    )
    expect(code).toBe(130)
    expect(await startTraining(data, at('stopped'), '--resume').ended).toMatchObject({ code: 0 })
    expect(tensorsIn(at('stopped'))).toEqual(tensorsIn(at('whole')))
  })

  test(
    'of a program stops by its signal and goes on to the same end, from a recipe’s file or value',
    limit,
    async () => {
      const settings = [['validate.images.root', data]] as const
      const options = { data, settings, device: 'cpu', threads: 1, workers: 0 } as const
      for (const [name, source] of [
        ['file', 'test/recipes/tiny.ts'],
        ['value', recipe],
      ] as const) {
        const out = at('program', name)
        const stop = new AbortController()
        const seen: TrainingProgress[] = []
        const onProgress = (progress: TrainingProgress) => {
          seen.push(progress)
          if (progress.phase === 'train') stop.abort()
        }
        const stopped = train(source, { ...options, out, signal: stop.signal, onProgress })
        await expect(stopped).rejects.toMatchObject({ code: 'aborted' })
        expect(seen.at(-1)).toMatchObject({
          phase: 'train',
          done: 1,
          total: 20,
          text: expect.stringMatching(/^step 1\/20/),
        })
        await expect(train(source, { ...options, out })).rejects.toThrow(
          'holds a training already; resume it',
        )
        const result = await train(source, { ...options, out, resume: true })
        expect(result).toMatchObject({ folder: out, weights: join(out, 'weights.safetensors'), steps: 20 })
        expect(tensorsIn(out)).toEqual(tensorsIn(at('whole')))
      }
      const aborted = train(recipe, { ...options, out: at('program', 'never'), signal: AbortSignal.abort() })
      await expect(aborted).rejects.toThrow('interrupted before its first step')
      expect(existsSync(at('program', 'never'))).toBe(false)
      await expect(train(recipe, { ...options, out: at('program', 'never'), workers: 1 })).rejects.toThrow(
        'workers: expected 0 for a recipe given as a value, got 1',
      )
    },
  )

  test('whose loss is not finite stops, names step and images and keeps the last good state', async () => {
    const loss = /step \d+: expected a finite loss, got .* on \d\.png.*the state of step \d+ /
    await expect(trainHere(at('nan'), { learningRate: '1e15', saveEvery: '1' })).rejects.toThrow(loss)
    const { tensors } = readCheckpoint(at('nan', 'state.safetensors'), { isWhole: true })
    expect(tensors.size).toBeGreaterThan(100)
    // Loading rejects values that are not finite.
    expect(loadModel(readCheckpoint(at('nan', 'weights.safetensors'))).id).toBe('restormer')
  })

  test('keeps the last state intact if the disk is full', limit, async () => {
    await trainHere(at('full'), { steps: '3' })
    const before = readFileSync(at('full', 'state.safetensors'))
    const { code, stderr } = await startOnSmallDisk(onPictures(built.url, data), at('full')).ended
    expect(stderr).toMatch(
      /state\.safetensors: cannot be written: the file is larger than .* allows \(EFBIG\)/,
    )
    expect(code).toBe(1)
    expect(readFileSync(at('full', 'state.safetensors'))).toEqual(before)
    expect(readdirSync(at('full')).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  test('is not resumed with another recipe or other data, and reports the differences', async () => {
    const changes = { seed: '2', maxGradNorm: '0.2', learningRate: '1e-4' }
    const { run, identity, openLoader } = await prepareTraining(onPictures(url, data, changes))
    const options = { folder: at('whole'), isResumed: true, openLoader }
    const differences =
      /recipe\.maxGradNorm was 0\.1, is 0\.2; .*recipe\.seed was 1, is 2; rates\.0 was 0\.001, is 0\.0001/
    await expect(runLoop(run, { ...options, identity })).rejects.toThrow(differences)
    mkdirSync(at('foreign'))
    copyFileSync(at('whole', 'weights.safetensors'), at('foreign', 'state.safetensors'))
    const foreign = runLoop(run, { ...options, folder: at('foreign'), identity })
    await expect(foreign).rejects.toThrow('expected the state of a training, got a file without its identity')
    const other = { ...identity, data: { images: 4, hash: 'other' } }
    await expect(runLoop(run, { ...options, identity: other })).rejects.toThrow('data.images was 5, is 4')
  })

  test('can be resumed with more steps and other validation settings', async () => {
    await trainHere(at('longer'), { steps: '3' })
    expect((await trainHere(at('longer'), { steps: '5', 'validate.every': '2' }, true)).step).toBe(5)
  })

  test('is rejected in a folder with a running or earlier training', limit, async () => {
    takeFolder(at('taken'))()
    const lock = { host: hostname(), pid: process.ppid, startedAt: '2026-01-02T03:04:05.678Z' }
    writeFileSync(at('taken', lockName), JSON.stringify(lock))
    expect(() => takeFolder(at('taken'))).toThrow(
      `process ${process.ppid} is training there (since 2026-01-02`,
    )
    // No process has this id, as if it had been killed.
    writeFileSync(at('taken', lockName), JSON.stringify({ ...lock, pid: 2 ** 30 }))
    writeLeftover(at('taken'))
    takeFolder(at('taken'))()
    expect(readdirSync(at('taken'))).toEqual([])
    const { code, stderr } = await startTraining(data, at('whole')).ended
    expect(stderr).toContain('holds a training already; resume it, or choose another folder')
    expect(code).toBe(1)
  })

  test('is checked before it starts: its phases, and overfitting one batch', async () => {
    const settings = { learningRate: '3e-3' }
    const { run, openLoader } = await prepareTraining(onPictures(url, data, settings))
    const phases = await tryPhases(run, openLoader, () => {})
    expect(phases.map(({ batch, crop }) => [batch, crop])).toEqual([
      [2, 8],
      [1, 16],
    ])
    const warmed = { ...run, recipe: { ...run.recipe, learningRate: warmup(30, constant(3e-3)) } }
    const { first, last } = await overfit(warmed, openLoader, { steps: 60, onProgress: () => {} })
    expect(last).toBeLessThan(first / 2)
    const hopeless = overfit(run, openLoader, { steps: 1, onProgress: () => {} })
    await expect(hopeless).rejects.toThrow('expected the loss of one batch to fall by half in 1 steps')
    expect(existsSync(at('tried'))).toBe(false)
  })

  test('is rejected for invalid settings', async () => {
    const check = async (key: string, value: string) =>
      checkRecipe(await importRecipe(onPictures(url, data, { [key]: value })))
    await expect(check('data.phases.0.crop', '12')).rejects.toThrow('a multiple of 8, got 12; try 16')
    await expect(check('steps', '0')).rejects.toThrow('expected steps to be a whole number from 1, got 0')
    await expect(check('data.phases', '[]')).rejects.toThrow('expected at least one phase')
    await expect(check('learningRate', '-1')).rejects.toThrow(
      'expected a learning rate from 0 at step 0, got -1',
    )
    await expect(check('data.phases.1.batch', '0.5')).rejects.toThrow(
      'from 1, got crop 16, batch 0.5, steps 10',
    )
    await expect(check('data.frame', '8')).rejects.toThrow('crop to be at most data.frame, 8, got 16')
    const nowhere = prepareTraining(onPictures(url, data, { 'validate.images.root': at('none') }))
    await expect(nowhere).rejects.toThrow(
      'does not exist; pass their folder with --set validate.images.root=',
    )
  })
})
