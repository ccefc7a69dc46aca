import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writePictures } from '../../../test/recipes/images.ts'
import { compileForProcesses } from '../../../test/training.ts'
import { viewAs } from '../../core/data.ts'
import { counterRandom } from '../../core/random.ts'
import type { Recipe } from '../recipe/recipe.ts'
import type { CompiledRecipe } from '../recipe/recipeFile.ts'
import { importRecipe, type RecipeModule } from '../recipe/recipeModule.ts'
import { folder, type OpenImages, openImages, pairFolders } from '../samples/images.ts'
import { applyMixup, type Echo, type HostBatch, stackSamples } from '../samples/samples.ts'
import { planUses } from './batchPlan.ts'
import { Loader } from './loader.ts'

const data = mkdtempSync(join(tmpdir(), 'limpid-loader-'))
let compiled: CompiledRecipe
let recipe: Recipe
let module: RecipeModule

beforeAll(async () => {
  await writePictures(join(data, 'images'), 5)
  compiled = await compileForProcesses('test/recipes/tiny.ts')
  const settings = [['data.images.root', join(data, 'images')]] as const
  module = { url: compiled.url, settings }
  recipe = await importRecipe({ url: pathToFileURL('test/recipes/tiny.ts').href, settings })
})

afterAll(() => {
  compiled.dispose()
  rmSync(data, { recursive: true, force: true })
})

interface BatchOptions {
  readonly echo?: Echo
  readonly from?: number
  readonly count?: number
  readonly cacheBytes?: number
  readonly unusable?: OpenImages['unusable']
}

/** Describes `count` batches as text for comparison. */
async function batches(
  workers: number,
  { from = 0, count = 12, cacheBytes = 1e9, unusable = 'refuse', echo }: BatchOptions = {},
): Promise<readonly string[]> {
  const images = await openImages(recipe.data.images, { unusable })
  const echoed = echo ? { ...recipe, data: { ...recipe.data, echo } } : recipe
  const loader = new Loader({ recipe: echoed, images, fromStep: from, module, workers, cacheBytes })
  const made: string[] = []
  try {
    for (let i = 0; i < count; i++) {
      const { batch, names } = await loader.next()
      made.push(`${names} ${Object.entries(batch).map(describeValue)}`)
    }
  } finally {
    loader.close()
  }
  return made
}

function describeValue([name, value]: [string, HostBatch[string]]): string {
  if (!('bytes' in value)) return `${name} ${value}`
  return `${name} [${value.shape}] ${viewAs(value.bytes, Int32Array).reduce((sum, bits) => (sum * 31 + bits) | 0, 7)}`
}

describe('the loader', () => {
  test('makes the same batches with zero, one and three workers and any cache size', {
    timeout: 60_000,
  }, async () => {
    const expected = await batches(0)
    expect(new Set(expected).size).toBe(expected.length)
    expect(await batches(1)).toEqual(expected)
    expect(await batches(3, { cacheBytes: 5000 })).toEqual(expected)
  })

  test('resumes in the middle of an epoch with the same batches', async () => {
    expect(await batches(0, { from: 3, count: 4 })).toEqual((await batches(0)).slice(6, 10))
  })

  test('gives a batch that is used again unchanged, after a resume too', async () => {
    const echo = { times: 2, apart: 2 }
    const all = await batches(0, { echo })
    expect(new Set(all).size).toBe(8)
    expect([all[5], all[7]]).toEqual([all[0], all[2]])
    expect(await batches(1, { echo })).toEqual(all)
    expect(await batches(2, { echo, from: 2, count: 6 })).toEqual(all.slice(4, 10))
  })

  test('replaces a damaged image by the next, however many workers find it and wherever it starts', {
    timeout: 60_000,
  }, async () => {
    const file = join(data, 'images', '1.png')
    const whole = readFileSync(file)
    truncateSync(file, whole.length >> 1)
    try {
      await expect(batches(0)).rejects.toThrow(
        /1\.png: .*damaged.*; or leave out such images with --skip-unusable/,
      )
      const expected = await batches(0, { unusable: 'skip' })
      expect(await batches(2, { unusable: 'skip', cacheBytes: 5000 })).toEqual(expected)
      expect(await batches(1, { unusable: 'skip', from: 3, count: 4 })).toEqual(expected.slice(6, 10))
    } finally {
      writeFileSync(file, whole)
    }
  })

  test('reports the error of a sample when its batch is requested', async () => {
    const images = await openImages(recipe.data.images)
    const failing = {
      ...recipe,
      data: {
        ...recipe.data,
        sample: () => {
          throw new Error('broken sample')
        },
      },
    }
    const loader = new Loader({ recipe: failing, images, fromStep: 0, module, workers: 0, cacheBytes: 0 })
    await expect(loader.next()).rejects.toThrow('broken sample')
  })
})

describe('the plan', () => {
  const names = ['a', 'b', 'c', 'd', 'e']
  const planned = (batch: number, count: number) => {
    const data = { ...recipe.data, phases: [{ steps: 100, crop: 8, batch }] }
    const plan = planUses({ data, seed: 3 }, names, 0)
    return Array.from({ length: count }, () => plan.next().value.batch)
  }

  test('visits every image once per epoch in a new order and drops an incomplete batch', () => {
    const all = planned(2, 6)
    const epochs = [0, 2, 4].map((i) => [...(all[i]?.items ?? []), ...(all[i + 1]?.items ?? [])])
    for (const epoch of epochs) expect(new Set(epoch).size).toBe(4)
    expect(epochs[0]).not.toEqual(epochs[1])
    expect(all.map(({ firstSample }) => firstSample)).toEqual([0, 2, 5, 7, 10, 12])
  })

  test('fills a batch larger than the data set from several epochs', () => {
    const all = planned(8, 5)
    const counts = names.map((_, i) => all.flatMap(({ items }) => items).filter((item) => item === i).length)
    expect(counts).toEqual([8, 8, 8, 8, 8])
  })

  test('numbers the batches within an accumulated step consecutively', () => {
    const plan = planUses(recipe, names, 1)
    expect([plan.next().value, plan.next().value].map(({ step, number }) => [step, number])).toEqual([
      [1, 2],
      [1, 3],
    ])
  })

  test('uses each batch as often and as far apart as the recipe asks, the same in several processes', () => {
    const data = { ...recipe.data, echo: { times: 3, apart: 2 } }
    const uses = (rank: number, size: number, from = 0) => {
      const plan = planUses({ data, seed: 3, accumulate: size }, names, from, { rank, size })
      return Array.from({ length: 60 }, () => plan.next().value)
    }
    const alone = uses(0, 1)
    const stepsOf = (number: number) =>
      alone.filter(({ batch }) => batch.number === number).map(({ step }) => step)
    expect(stepsOf(4)).toEqual([0, 7, 14])
    expect(stepsOf(9)).toEqual([15, 22, 29])
    expect(alone.filter(({ isLast }) => isLast).map(({ batch }) => batch.number)).toEqual(
      Array.from({ length: 20 }, (_, i) => i),
    )
    for (const { step, batch } of alone) expect(batch.step).toBeLessThanOrEqual(step)
    expect(uses(0, 1, 7).slice(0, 50)).toEqual(alone.slice(7, 57))
    for (const rank of [0, 1]) {
      const shared = uses(rank, 2)
      expect(new Set(shared.map(({ batch }) => batch.number % 2))).toEqual(new Set([rank]))
      expect(shared.map(({ batch }) => batch.number >> 1)).toEqual(alone.map(({ batch }) => batch.number))
    }
  })
})

describe('samples', () => {
  test('numbers and strings are stacked as lists, tensors along a new dimension', () => {
    const tokens = (id: number) => ({
      dtype: 'int32' as const,
      shape: [2],
      bytes: new Uint8Array(Int32Array.of(id, 7).buffer),
    })
    const batch = stackSamples([
      { caption: 'a', task: 1, tokens: tokens(3) },
      { caption: 'b', task: 1, tokens: tokens(4) },
    ])
    expect(batch.caption).toEqual(['a', 'b'])
    expect(batch.task).toEqual([1, 1])
    expect(batch.tokens).toMatchObject({ shape: [2, 2] })
  })

  test('samples of different shapes cannot be stacked', () => {
    const square = (side: number) => ({
      x: { width: side, height: side, channels: 1, data: new Float32Array(side * side) },
    })
    expect(() => stackSamples([square(2), square(3)])).toThrow(
      'expected x float32 [1 2 2] as in the first sample of the batch, got float32 [1 3 3]',
    )
  })

  test('mixup blends input and target with the same partner and coefficient', () => {
    const values = () => new Uint8Array(Float32Array.of(1, 2, 4, 8).buffer)
    const batch = {
      input: { dtype: 'float32', shape: [4, 1], bytes: values() },
      target: { dtype: 'float32', shape: [4, 1], bytes: values() },
    } as const
    applyMixup(batch, { alpha: 1.2, probability: 1 }, counterRandom(5))
    const [input, target] = [batch.input, batch.target].map(({ bytes }) => [...viewAs(bytes, Float32Array)])
    expect(input).toEqual(target)
    expect(input).not.toEqual([1, 2, 4, 8])
    // A permutation preserves the sum.
    expect(input?.reduce((sum, value) => sum + value, 0)).toBeCloseTo(15, 5)
    const before = values()
    const same = { input: { dtype: 'float32', shape: [4, 1], bytes: before } } as const
    applyMixup(same, { alpha: 1.2, probability: 0 }, counterRandom(5))
    expect([...viewAs(before, Float32Array)]).toEqual([1, 2, 4, 8])
  })
})

describe('invalid data', () => {
  test('an empty folder, a folder without images and a missing folder are rejected by name', async () => {
    await writePictures(join(data, 'empty'), 0)
    await expect(openImages(folder(join(data, 'empty')))).rejects.toThrow(
      /empty: expected images .*found none/,
    )
    await expect(openImages(folder(join(data, 'missing')))).rejects.toThrow(/missing/)
    await expect(openImages(folder('test/recipes'))).rejects.toThrow(/found none/)
  })

  test('pairs of different sizes and images smaller than the crop are rejected by name', async () => {
    await writePictures(join(data, 'pairs', 'sharp'), 2)
    await writePictures(join(data, 'pairs', 'blurred'), 2, { width: 24 })
    const pairs = pairFolders(join(data, 'pairs'), { input: 'blurred', target: 'sharp' })
    await expect(openImages(pairs)).rejects.toThrow(/0\.png \(32 × 40, its partner 24 × 40/)
    await expect(openImages(folder(join(data, 'images')), { minimumPx: 36 })).rejects.toThrow(
      /32 × 40, below 36 pixels/,
    )
  })
})
