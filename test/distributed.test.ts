// Several processes train together with the same result as one.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadAddon } from '../native/load.ts'
import { groupOf } from '../src/torch/group.ts'
import { libtorchMissing } from './libtorch.ts'
import { writePictures } from './recipes/images.ts'
import { startTogether, startTraining, trainArguments } from './training.ts'

const canJoin = libtorchMissing === undefined && 'sumAcross' in loadAddon()
const folder = mkdtempSync(join(tmpdir(), 'limpid-distributed-'))
const at = (...names: readonly string[]) => join(folder, ...names)
const limit = { timeout: 120_000 }

const endsOf = async (size: number, ...args: readonly string[]) =>
  Promise.all((await startTogether(size, ...args)).map(({ ended }) => ended))

describe.skipIf(!canJoin)('processes that train together', limit, () => {
  beforeAll(async () => {
    await writePictures(at('images'), 5)
    expect(await startTraining(at('images'), at('alone')).ended).toMatchObject({ code: 0 })
  }, 120_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('share the batches of a step and end with the same weights, bit for bit; only the first writes and reports', async () => {
    const [first, second] = await endsOf(2, ...trainArguments(at('images'), at('together')))
    expect([first?.code, second?.code]).toEqual([0, 0])
    expect(first?.stdout.trim()).toBe(at('together', 'weights.safetensors'))
    expect(second).toMatchObject({ stdout: '', stderr: '' })
    for (const name of ['weights', 'state', 'best'])
      expect(readFileSync(at('together', `${name}.safetensors`))).toEqual(
        readFileSync(at('alone', `${name}.safetensors`)),
      )
  })

  test('contrast the rows of all processes, with the gradient of one process with all rows', async () => {
    const script = ['--import', 'tsx', join('test', 'gathering.ts')]
    const read = (ends: readonly { stdout: string; stderr: string }[]) =>
      ends.map(({ stdout, stderr }) => {
        if (stdout === '') throw new Error(stderr)
        return JSON.parse(stdout) as {
          gradient: number[]
          firstGradient: number[]
          hasNone: boolean
          labels: number[]
        }
      })
    const [single] = read(await endsOf(1, ...script))
    const together = read(await endsOf(3, ...script))
    for (const { gradient, labels, firstGradient, hasNone } of together) {
      expect(labels).toEqual([0, 1, 2, 3, 4, 5])
      expect(hasNone).toBe(true)
      for (const value of firstGradient) expect(value).toBeCloseTo(1 / 3, 6)
      gradient.forEach((value, i) => {
        expect(value).toBeCloseTo(single?.gradient[i] ?? Number.NaN, 5)
      })
    }
  })

  test('stop at the same step if one is interrupted, and resume with a different number of processes', async () => {
    const trainings = await startTogether(2, ...trainArguments(at('images'), at('stopped')))
    const [, second] = trainings
    trainings[0]?.child.stderr?.on('data', (text) => {
      if (/step \d/.test(String(text))) second?.child.kill('SIGINT')
    })
    const ends = await Promise.all(trainings.map(({ ended }) => ended))
    expect(ends.map(({ code }) => code)).toEqual([130, 130])
    const { code } = await startTraining(at('images'), at('stopped'), '--resume').ended
    expect(code).toBe(0)
    expect(readFileSync(at('stopped', 'weights.safetensors'))).toEqual(
      readFileSync(at('alone', 'weights.safetensors')),
    )
  })

  test('fail with a clear error if one is lost', async () => {
    const trainings = await startTogether(2, ...trainArguments(at('images'), at('lost')))
    trainings[0]?.child.stderr?.on('data', (text) => {
      if (/step \d/.test(String(text))) trainings[1]?.child.kill('SIGKILL')
    })
    const [first] = await Promise.all(trainings.map(({ ended }) => ended))
    expect(first?.code).toBe(3)
    expect(first?.stderr).toMatch(/process 0 of 2 lost another process .*--resume continues/)
  })

  test('need at least one batch per process in a step', async () => {
    const [first] = await endsOf(3, ...trainArguments(at('images'), at('odd')))
    expect(first?.code).toBe(2)
    expect(first?.stderr).toContain('accumulate to be a multiple of the 3 processes')
  })
})

test('contradictory variables are rejected before any process is awaited', () => {
  expect(() => groupOf({ WORLD_SIZE: '2', RANK: '2' })).toThrow(
    'RANK: expected an integer from 0 to WORLD_SIZE − 1, got 2 of 2',
  )
  expect(() => groupOf({ WORLD_SIZE: '2' })).toThrow('RANK: expected a non-negative integer')
  expect(groupOf({})).toMatchObject({ rank: 0, size: 1 })
})
