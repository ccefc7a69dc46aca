// Training of IPT and DASR: steps of every recipe on tiny networks, and a two-stage
// training that is killed and resumed.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { recipe as dasrAnisoX4 } from '../recipes/dasr/aniso-x4.ts'
import { recipe as dasrIsoX2 } from '../recipes/dasr/iso-x2.ts'
import { recipe as dasrIsoX3 } from '../recipes/dasr/iso-x3.ts'
import { recipe as dasrIsoX4 } from '../recipes/dasr/iso-x4.ts'
import { recipe as dasrLightX2 } from '../recipes/dasr/light-x2.ts'
import { recipe as iptFinetune } from '../recipes/ipt-finetune.ts'
import { recipe as iptNewTask } from '../recipes/ipt-new-task.ts'
import { recipe as iptPretrain } from '../recipes/ipt-pretrain.ts'
import { recipe as iptSmall } from '../recipes/ipt-small.ts'
import { loadTensor } from '../src/checkpoints/checkpoint.ts'
import { toFloat32 } from '../src/checkpoints/convert.ts'
import { readCheckpoint } from '../src/checkpoints/files.ts'
import { counterRandom } from '../src/core/random.ts'
import { stateDict } from '../src/nn/module.ts'
import { loadModel } from '../src/registry/loadModel.ts'
import { Loader } from '../src/train/loader/loader.ts'
import { runLoop } from '../src/train/loop.ts'
import { checkRecipe, openTrainingImages } from '../src/train/preflight.ts'
import type { Recipe } from '../src/train/recipe/recipe.ts'
import type { CompiledRecipe } from '../src/train/recipe/recipeFile.ts'
import { withSetting } from '../src/train/recipe/recipeModule.ts'
import { identify } from '../src/train/trainingIdentity.ts'
import { createRun } from '../src/train/trainingRun.ts'
import { libtorchMissing } from './libtorch.ts'
import { writePictures } from './recipes/images.ts'
import { compileForProcesses, onPictures, trainKilled } from './training.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-ipt-dasr-'))
const at = (...names: string[]) => join(dir, ...names)
const data = at('images')
const limit = { timeout: 120_000 }

type Settings = Readonly<Record<string, string>>

const tinyDasr: Settings = {
  'network.options.groups': '1',
  'network.options.blocks': '1',
  'network.options.channels': '8',
  'network.options.encoderChannels': '[4, 6, 8]',
  'network.options.queueSize': '8',
  'data.phases': '[{"steps":4,"crop":12,"batch":2}]',
  'validate.crop': '12',
  'constants.encoderSteps': '1',
}

const tinyIpt: Settings = {
  'network.options.patchSize': '12',
  'network.options.channels': '4',
  'network.options.layers': '1',
  'network.options.hidden': '8',
  'network.multipleOf': '12',
  'data.phases': '[{"steps":4,"crop":12,"batch":2}]',
}

/** Trains a recipe with settings in this process. */
async function trainRecipe<R extends object>(original: R, out: string, settings: Settings) {
  const roots = { 'data.images.root': data, 'validate.images.root': data, saveEvery: '1', logEvery: '1' }
  const recipe = Object.entries({ ...roots, ...settings }).reduce<R>(
    (changed, [key, text]) => withSetting(changed, key, text),
    original,
  ) as R & Recipe
  checkRecipe(recipe)
  const { images, validation } = await openTrainingImages(recipe, () => {})
  const identity = identify(recipe, images, { code: 'test', version: 'test' })
  const module = { url: 'not needed without workers', settings: [] }
  const openLoader = (fromStep: number) =>
    new Loader({ recipe, images, fromStep, module, workers: 0, cacheBytes: 1e8 })
  mkdirSync(out, { recursive: true })
  const run = createRun(recipe, 'cpu', validation)
  await runLoop(run, { folder: out, identity, isResumed: false, openLoader })
  return run
}

const weightsIn = (out: string) => readCheckpoint(join(out, 'weights.safetensors'))

function valuesIn(out: string, name: string): Map<string, readonly number[]> {
  const { tensors } = readCheckpoint(join(out, `${name}.safetensors`))
  return new Map([...tensors].map(([key, stored]) => [key, Array.from(toFloat32(loadTensor(stored)))]))
}

const lossesIn = (out: string): Readonly<Record<string, number>>[] =>
  readFileSync(join(out, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ kind }) => kind === 'train')
    .map(({ values }) => values)

describe.skipIf(libtorchMissing !== undefined)('training of IPT and DASR', () => {
  beforeAll(async () => {
    await writePictures(data, 4, { width: 64, height: 60 })
  })

  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  test.each([
    { recipe: dasrIsoX2, scale: 2, queueSize: 8 },
    { recipe: dasrIsoX3, scale: 3, queueSize: 8 },
    { recipe: dasrIsoX4, scale: 4, queueSize: 8 },
    { recipe: dasrAnisoX4, scale: 4, queueSize: 8 },
    { recipe: dasrLightX2, scale: 2, queueSize: 0 },
  ])(
    '$recipe.name trains its encoder, then both networks, and publishes only what inference needs',
    async ({ recipe, scale, queueSize }) => {
      const out = at(recipe.name)
      const settings = { ...tinyDasr, 'network.options.queueSize': `${queueSize}`, steps: '2' }
      await trainRecipe(recipe, out, settings)
      const model = loadModel(weightsIn(out))
      expect([model.id, model.scale]).toEqual(['dasr', scale])
      expect([...weightsIn(out).tensors.keys()].filter((key) => /queue|encoder_k/.test(key))).toEqual([])
      const state = [...readCheckpoint(join(out, 'state.safetensors'), { isWhole: true }).tensors.keys()]
      const contrastKeys = state
        .filter((key) => /^model\.E\.(queue|encoder_k\.E\.0\.weight)$/.test(key))
        .sort()
      expect(contrastKeys).toEqual(queueSize > 0 ? ['model.E.encoder_k.E.0.weight', 'model.E.queue'] : [])
      const [first, second] = lossesIn(out)
      expect([first?.l1, typeof second?.l1, typeof first?.contrast]).toEqual([undefined, 'number', 'number'])
    },
  )

  test('DASR’s first stage leaves the generator unchanged, the second trains everything', async () => {
    const before = initialWeights(dasrIsoX2)
    await trainRecipe(dasrIsoX2, at('stage-1'), { ...tinyDasr, steps: '1' })
    await trainRecipe(dasrIsoX2, at('stage-2'), { ...tinyDasr, steps: '2', learningRate: '0.01' })
    const between = valuesIn(at('stage-1'), 'weights')
    const after = valuesIn(at('stage-2'), 'weights')
    expect(between.get('G.head.0.weight')).toEqual(before.get('G.head.0.weight'))
    expect(between.get('E.encoder_q.E.0.weight')).not.toEqual(before.get('E.encoder_q.E.0.weight'))
    expect(after.get('G.head.0.weight')).not.toEqual(before.get('G.head.0.weight'))
  })

  test('DASR starts from a published file with a fresh queue', async () => {
    const weights = at('stage-2', 'weights.safetensors')
    const settings = { ...tinyDasr, steps: '1', learningRate: '0', 'network.weights': weights }
    await trainRecipe(dasrIsoX2, at('from-published'), settings)
    const before = valuesIn(at('stage-2'), 'weights')
    const after = valuesIn(at('from-published'), 'weights')
    expect(after.get('G.head.0.weight')).toEqual(before.get('G.head.0.weight'))
    const lengths = valuesIn(at('from-published'), 'state').get('model.E.queue') ?? []
    expect(Math.sqrt(lengths.filter((_, i) => i % 8 === 3).reduce((sum, x) => sum + x * x, 0))).toBeCloseTo(
      1,
      5,
    )
  })

  test.each([{ recipe: iptPretrain }, { recipe: iptSmall }])(
    '$recipe.name trains six tasks with the contrastive loss',
    async ({ recipe }) => {
      const out = at(recipe.name)
      const run = await trainRecipe(recipe, out, { ...tinyIpt, steps: '3', 'validate.crop': '24' })
      expect(loadModel(weightsIn(out)).options).toMatchObject({ scales: [2, 3, 4, 1, 1, 1], queries: 6 })
      for (const losses of lossesIn(out)) expect(losses.contrast).toBeDefined()
      expect(run.trained.size).toBeGreaterThan(50)
    },
  )

  test('IPT without the contrastive loss has one loss; an unknown form is rejected', async () => {
    const settings = { ...tinyIpt, steps: '1', 'validate.crop': '24' }
    await trainRecipe(iptSmall, at('plain'), { ...settings, 'constants.lambda': '0' })
    expect(lossesIn(at('plain'))[0]?.contrast).toBeUndefined()
    await expect(
      trainRecipe(iptSmall, at('wrong'), { ...settings, 'constants.contrast': 'other' }),
    ).rejects.toThrow('constants.contrast: expected paper or released, got other')
  })

  test('IPT is fine-tuned to one of its tasks, and to a new one', async () => {
    const weights = at('ipt-small', 'weights.safetensors')
    const before = valuesIn(at('ipt-small'), 'weights')
    const settings = {
      ...tinyIpt,
      steps: '1',
      learningRate: '0',
      'network.weights': weights,
      'validate.crop': '12',
    }
    await trainRecipe(iptFinetune, at('tuned'), settings)
    const tuned = valuesIn(at('tuned'), 'weights')
    expect(loadModel(weightsIn(at('tuned'))).options).toMatchObject({ scales: [2], queries: 1 })
    expect(tuned.get('head.0.0.weight')).toEqual(before.get('head.0.0.weight'))
    await trainRecipe(iptNewTask, at('new'), settings)
    const fresh = valuesIn(at('new'), 'weights')
    const linear = 'body.encoder.layers.0.linear1.weight'
    expect(fresh.get(linear)).toEqual(before.get(linear))
    expect(fresh.get('head.0.0.weight')).not.toEqual(before.get('head.3.0.weight'))
  })

  test('with a frozen body, only head, tail and query of a new task are trained', async () => {
    const learns = (key: string) => /^(head|tail)\.|query_embed/.test(key)
    const recipe = { ...iptNewTask, network: { ...iptNewTask.network, learns } }
    const weights = at('ipt-small', 'weights.safetensors')
    const settings = { ...tinyIpt, steps: '1', learningRate: '0.01', 'validate.crop': '12' }
    await trainRecipe(recipe, at('frozen'), { ...settings, 'network.weights': weights })
    const before = valuesIn(at('ipt-small'), 'weights')
    const after = valuesIn(at('frozen'), 'weights')
    const same = [...after.keys()].filter((key) => key.startsWith('body.') && !key.includes('query'))
    expect(same.length).toBeGreaterThan(20)
    for (const key of same) expect(after.get(key)).toEqual(before.get(key))
    expect(after.get('body.query_embed.weight')).not.toEqual(
      valuesIn(at('new'), 'weights').get('body.query_embed.weight'),
    )
  })

  describe('a killed two-stage training', () => {
    let compiled: CompiledRecipe
    beforeAll(async () => {
      compiled = await compileForProcesses('recipes/dasr/iso-x2.ts')
    }, 120_000)
    afterAll(() => compiled.dispose())

    test('ends with the weights, queue and key encoder of an undisturbed one', limit, async () => {
      const random = counterRandom(3)
      const settings = {
        ...tinyDasr,
        steps: '24',
        saveEvery: '5',
        'validate.every': '24',
        'constants.encoderSteps': '12',
      }
      const module = onPictures(compiled.url, data, settings)
      await trainKilled({ module, out: at('whole'), kills: 0 }, () => 0)
      const hits = await trainKilled({ module, out: at('killed'), kills: 3 }, () => 7 * random.uniform())
      expect(hits).toBeGreaterThan(0)
      const whole = valuesIn(at('whole'), 'state')
      const killed = valuesIn(at('killed'), 'state')
      expect([...whole.keys()]).toEqual(
        expect.arrayContaining(['model.E.queue', 'model.E.queue_ptr', 'model.E.encoder_k.E.1.running_mean']),
      )
      expect(killed).toEqual(whole)
      expect(valuesIn(at('killed'), 'weights')).toEqual(valuesIn(at('whole'), 'weights'))
    })
  })
})

/** Initial weights of a tiny training of the recipe. */
function initialWeights(recipe: typeof dasrIsoX2): Map<string, readonly number[]> {
  const tiny = Object.entries(tinyDasr).reduce(
    (changed, [key, text]) => withSetting(changed, key, text),
    recipe,
  )
  const { network } = createRun(tiny as Recipe, 'cpu')
  return new Map([...stateDict(network)].map(([key, tensor]) => [key, Array.from(toFloat32(tensor.read()))]))
}
