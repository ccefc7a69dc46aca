import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashFile, readCheckpoint, writeSafetensors } from '../checkpoints/files.ts'
import { crop } from '../data/image.ts'
import { Ipt, iptDefaults } from '../models/ipt/ipt.ts'
import { LightTone, lightToneDefaults } from '../models/lightTone/lightTone.ts'
import type { NetworkFacts } from '../models/networkDescriptor.ts'
import { defaultModels, tasks } from '../models/tasks.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { cards, findCard, type ModelCard } from '../registry/cards.ts'
import { loadModel } from '../registry/loadModel.ts'
import { networkOf } from '../registry/networks.ts'
import { checkVariant } from './checkRequest.ts'
import { windowRunner } from './networks/prepareNetworks.ts'
import { packagedWeights, resolveModel } from './resolveModel.ts'
import { createRestorer } from './restorer.ts'
import { chop } from './tiles/chop.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-models-'))
const weights = join(dir, 'ipt.safetensors')
const small = {
  ...iptDefaults,
  channels: 4,
  patchSize: 12,
  layers: 1,
  heads: 2,
  hidden: 8,
  scales: [2, 1],
  queries: 2,
}

const packaged = (cards as readonly ModelCard[]).filter(({ sha256 }) => sha256 !== undefined)

beforeAll(() => {
  let count = 0
  const network = new Ipt(
    randomInit(() => (++count * 0.618034) % 1),
    small,
  )
  writeSafetensors(weights, new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('resolving a model', () => {
  test('the defaults of every task are for that task', () => {
    // What removes the noise of cameras removes even noise too, and one network both rain and snow.
    const also: Readonly<Record<string, readonly string[]>> = { photo: ['denoise'], derain: ['desnow'] }
    for (const { id } of tasks) {
      for (const model of defaultModels[id]) {
        const card = findCard(model)
        const { taskOptions = {} }: NetworkFacts = networkOf(card.model).facts
        expect([card.task, ...(also[card.task] ?? []), ...Object.keys(taskOptions)]).toContain(id)
      }
    }
  })

  test('a task selects options of weights that do several', () => {
    const tone = join(dir, 'tone.safetensors')
    const made = new LightTone(
      randomInit(() => 0.5),
      { ...lightToneDefaults, width: 4 },
    )
    writeSafetensors(tone, new Map([...stateDict(made)].map(([key, tensor]) => [key, tensor.read()])))
    expect(resolveModel({ weights: tone, task: 'dehaze' }).overrides).toEqual({ tone: 'haze' })
    expect(resolveModel({ weights: tone, task: 'low-light' }).overrides).toEqual({ tone: 'light' })
    expect(resolveModel({ weights: tone }).overrides).toEqual({})
    expect(() => resolveModel({ weights: tone, task: 'derain' })).toThrow('task: expected weights that hold')
  })

  test('an empty request resolves to packaged weights', () => {
    const { card, weights: file } = resolveModel({})
    expect([card?.id, file]).toEqual(['light-photo', packagedWeights('light-photo')])
  })

  test.each(packaged)('$id: the packaged weights match the card', ({ id, sha256, options }) => {
    const file = packagedWeights(id)
    expect(hashFile(file)).toBe(sha256)
    const loaded = loadModel(readCheckpoint(file))
    expect(loaded.options).toMatchObject({ ...options })
  })

  test('task and scale select the model', () => {
    const { card } = resolveModel({ model: 'restormer-derain', task: 'derain', weights })
    expect(card?.id).toBe('restormer-derain')
    expect(resolveModel({ task: 'upscale' }).card?.id).toBe('light-upscale-x2')
    // Doubling thrice gives 8 sides, quadrupling twice would give 16.
    for (const scale of [1.5, 2, 8])
      expect(resolveModel({ task: 'upscale', scale }).card?.id).toBe('light-upscale-x2')
    for (const scale of [3, 4])
      expect(resolveModel({ task: 'upscale', scale }).card?.id).toBe('light-upscale-x4')
    expect(resolveModel({ scale: 3 }).card?.id).toBe('light-upscale-x4')
  })

  test.each([
    [{ task: 'sharpen' }, 'task: expected one of photo, denoise, derain,'],
    [{ task: 'upscal' }, 'universal, or auto (in restore, by itself), got upscal; did you mean upscale?'],
    [{ model: 'restormer-derain', task: 'denoise' }, 'task: expected derain, which restormer-derain is for'],
  ])('%j is rejected', (request, message) => {
    expect(() => resolveModel(request)).toThrow(message)
  })

  test('weights of another variant are rejected, except for the task and overridden options', () => {
    const card = findCard('ipt-sr-x2')
    const expected = { ...networkOf('ipt').defaults, ...card.options }
    const check = (options: object, overrides: object) =>
      checkVariant({ weights: 'x.pt', card, overrides }, { id: 'ipt', options: { ...options }, scale: 2 })
    expect(() => check({ ...expected, task: 'sr-x2' }, {})).not.toThrow()
    expect(() => check({ ...expected, heads: 6 }, { heads: 6 })).not.toThrow()
    expect(() => check({ ...expected, heads: 6 }, {})).toThrow('ipt-sr-x2 with heads 12, got 6')
    expect(() => check({ ...expected, scales: [3] }, {})).toThrow('ipt-sr-x2 with scales 2, got 3')
  })
})

describe('IPT through the restorer', () => {
  const data = Uint8Array.from({ length: 30 * 26 * 3 }, (_, i) => (i * 37) % 256)
  const picture = { data, width: 30, height: 26, channels: 3 } as const
  const request = { weights, device: 'cpu', threads: 1, options: { heads: 2 } } as const

  test('runs the named task, in blended or in official windows', async () => {
    await using restorer = await createRestorer({ ...request, task: 'sr-x2' })
    const { info } = await restorer.run(picture)
    expect([info.width, info.height, info.scale]).toEqual([60, 52, 2])
    const official = await restorer.run(picture, { blend: 'official' })
    expect(official.info.tiles.count).toBeGreaterThan(info.tiles.count)
    expect(official.raw().data).not.toEqual((await restorer.run(picture)).raw().data)
    const whole = await restorer.run(
      { ...picture, data: new Uint8Array(data.length).fill(128) },
      { blend: 'official' },
    )
    expect(whole.info.width).toBe(60)
  })

  test('selects the task by index, and keeps the size at scale 1', async () => {
    await using restorer = await createRestorer({ ...request, options: { heads: 2, task: '1' } })
    const result = await restorer.run(picture, { selfEnsemble: true })
    expect([result.info.width, result.info.height]).toEqual([30, 26])
  })

  test.each([
    [{}, 'task: expected one of sr-x2 (0), restore (1), which these weights have, got none'],
    [{ task: 'sr-x4' }, 'task: expected one of sr-x2 (0), restore (1), which these weights have, got sr-x4'],
  ])('%j is rejected on opening', async (changes, message) => {
    await expect(createRestorer({ ...request, ...changes })).rejects.toThrow(message)
  })
})

test('windows of one tensor run as tiles', async () => {
  const image = {
    width: 20,
    height: 14,
    channels: 3,
    data: Float32Array.from({ length: 840 }, (_, i) => i % 5),
  }
  const sizes = new Set<string>()
  const run = windowRunner(async (tiles) => {
    for (const { width, height } of tiles) sizes.add(`${width} ${height}`)
    return tiles.map((tile) => crop(tile, 0, 0, tile.height, tile.width))
  })
  expect((await chop(image, run, { windowPx: 12, scale: 1 })).data).toEqual(image.data)
  expect([...sizes]).toEqual(['12 12'])
})
