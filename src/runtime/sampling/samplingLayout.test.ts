// Samples whole pictures and tiles with sessions in this process, and checks the network calls and the
// results.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readCheckpoint, writeSafetensors } from '../../checkpoints/files.ts'
import { float32Data, type TensorData, viewAs } from '../../core/data.ts'
import { hostTensor } from '../../core/hostBackend.ts'
import type { NamedData } from '../../core/session.ts'
import { crop, type Image, imageToTensor } from '../../data/image.ts'
import {
  createSde,
  denoisingSde,
  evaluate,
  initial,
  restoringSde,
  reverseStep,
  type Sampler,
} from '../../diffusion/irsde.ts'
import { seededNoise } from '../../diffusion/samplers.ts'
import { conditionalNafnet } from '../../models/conditionalNafnet/conditionalNafnet.ts'
import {
  ConditionalUnet,
  conditionalUnet,
  conditionalUnetDefaults,
} from '../../models/conditionalUnet/conditionalUnet.ts'
import { daClip } from '../../models/daclip/daclip.ts'
import { LatentUnet, latentUnet, latentUnetDefaults } from '../../models/latentUnet/latentUnet.ts'
import type { NetworkDescription } from '../../models/networkDescriptor.ts'
import { randomInit } from '../../nn/init.ts'
import { stateDict } from '../../nn/module.ts'
import { type LoadedModel, loadModel } from '../../registry/loadModel.ts'
import type { ModelId } from '../../registry/networks.ts'
import type { SamplingProgress } from '../jobs/progress.ts'
import type { LayoutRequest } from '../networks/tileLayout.ts'
import { imageReader, imageWriter } from '../pictures/planeIO.ts'
import type { LoadedGuide, LoadedNetwork, SessionWithParts } from '../session/networkSessions.ts'
import { nodeSession } from '../session/nodeOnnxSession.ts'
import { layOutSampling } from './samplingLayout.ts'
import { planSampling, type SamplingRequest } from './samplingPlan.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-sampling-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const size = { channels: 3, height: 13, width: 21 }
const picture: Image = {
  ...size,
  data: Float32Array.from({ length: 3 * 13 * 21 }, (_, i) => Math.abs(Math.sin(i * 12.9898))),
}

function loaded(network: object): LoadedModel {
  const path = join(dir, 'network.safetensors')
  writeSafetensors(path, new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
  return loadModel(readCheckpoint(path))
}

function init() {
  let count = 0
  return randomInit(() => (++count * 0.618034) % 1)
}

/** Session of a network and its parts, in this process. */
function sessionOf(model: LoadedModel): SessionWithParts {
  const parts = new Map<string, SessionWithParts>()
  return {
    ...nodeSession(model),
    part: (name) => {
      const known = parts.get(name) ?? sessionOf(model.part(name))
      parts.set(name, known)
      return known
    },
  }
}

/**
 * A network that treats every pixel independently, so tiling must not change its result; records its calls.
 */
function pointwise(): { session: SessionWithParts; calls: { part: string; inputs: NamedData }[] } {
  const calls: { part: string; inputs: NamedData }[] = []
  const run = (part: string) => async (inputs: NamedData) => {
    calls.push({ part, inputs })
    if (part === 'condition') return { prompt: float32Data(new Float32Array(2), [1, 2]) }
    const { state, degraded, time } = inputs as { state: TensorData; degraded?: TensorData; time: TensorData }
    const [t = 0] = viewAs(time.bytes, Float32Array)
    const degradedValues = degraded && viewAs(degraded.bytes, Float32Array)
    const values = viewAs(state.bytes, Float32Array).map(
      (x, i) => 0.2 * x - 0.1 * (degradedValues?.[i] ?? 0) + t / 1000,
    )
    return { prediction: float32Data(values, state.shape) }
  }
  const part = (name: string) => ({ run: run(name) })
  return { calls, session: { ...part('forward'), part, close: async () => {} } }
}

/** An open guide. */
function guideOf(network: NetworkDescription<ModelId>, session: SessionWithParts): LoadedGuide {
  const { role } = network
  return role.kind === 'guides' ? { network, guidance: role.guidance, session } : expect.fail()
}

interface SampledOptions extends SamplingRequest, Partial<Omit<LayoutRequest, 'picture'>> {
  readonly sde?: typeof restoringSde
  readonly image?: Image
}

/** Samples a picture and records its progress. */
async function sampled(
  {
    options = plain,
    ...loaded
  }: Omit<LoadedNetwork, 'network'> & { network?: LoadedNetwork['network']; options?: object },
  request: SampledOptions = {},
) {
  const { sde = restoringSde, steps = 4, image = picture, tiles = { tile: 'none' } } = request
  const { selfEnsemble = false, strength = 1, run = {} } = request
  const defaultSampler = sde.kind === 'restoring' ? 'posterior' : 'ode'
  const sampling = planSampling({ sde, sampler: defaultSampler }, { ...request, steps })
  const progress: (readonly [number, number, SamplingProgress | undefined])[] = []
  const layout = layOutSampling(
    {
      picture: image,
      tiles,
      selfEnsemble,
      strength,
      run,
      budget: { budgetBytes: 5e11, maxTilePx: undefined },
      loaded: { network: conditionalUnet.fromOptions(options), ...loaded },
      onTile: (...event) => {
        progress.push(event as [number, number, SamplingProgress])
        request.onTile?.(...event)
      },
    },
    sampling,
  )
  const writer = () => imageWriter(image, 1, 3)
  const samples = Array.from({ length: sampling.samples }, writer)
  const main = writer()
  const read = imageReader(image, layout.channels, layout.padded)
  const restored = await layout.restore({ read, emit: main.emit, samples })
  return { image: main.image, samples: samples.map((one) => one.image), restored, progress, layout }
}

/** The first of few steps scales the state by 200 for the clean image, and float32 rounding with it. */
const rounding = 1e-4

function largestDifference(a: Image, b: Image): number {
  expect(a.data.length).toBe(b.data.length)
  return a.data.reduce((max, value, i) => Math.max(max, Math.abs(value - b.data[i]!)), 0)
}

const plain = { ...conditionalUnetDefaults, width: 8, multipliers: [1, 1, 1] }

/** Evaluates the linear forms in a loop over whole tensors, with the network as `forward`. */
async function sampledDirectly(model: LoadedModel, sampler: Sampler, seed: number): Promise<Image> {
  const sde = createSde({ ...restoringSde, sampleSteps: 4 })
  const drawNoise = seededNoise(seed, size)
  const shape = [1, 3, 13, 21]
  const noise = (use: number) => hostTensor(float32Data(drawNoise(use, 0, 13), shape))
  const degraded = imageToTensor(picture)
  const session = nodeSession(model)
  let state = evaluate(initial(sde), { degraded: hostTensor(degraded), noise: noise(0) })
  for (let t = 4; t >= 1; t--) {
    const time = float32Data(Float32Array.of(t * 25), [1])
    const { prediction } = await session.run({ state: state.read(), degraded, time })
    const terms = {
      state,
      degraded: hostTensor(degraded),
      prediction: hostTensor(prediction as TensorData),
      noise: noise(5 - t),
    }
    state = evaluate(reverseStep(sde, t, sampler), terms)
  }
  await session.close()
  return { ...size, data: viewAs(state.read().bytes, Float32Array) }
}

test.each(['posterior', 'sde', 'mean', 'ode'] as const)(
  'a whole picture sampled by %s matches the linear forms with the same noise',
  async (sampler) => {
    const model = loaded(new ConditionalUnet(init(), plain))
    const { image } = await sampled(
      { session: sessionOf(model), options: model.options },
      { sampler, seed: 5 },
    )
    expect(largestDifference(image, await sampledDirectly(model, sampler, 5))).toBeLessThan(rounding)
  },
)

describe('a network that treats every pixel independently', () => {
  test('gives the same picture for every tile size, in one call per step and tile', async () => {
    const whole = await sampled({ ...pointwise(), options: plain }, { seed: 2 })
    for (const [tile, overlap, count] of [
      [8, 3, 8],
      [12, 4, 6],
      [16, 12, 3],
    ] as const) {
      const { session, calls } = pointwise()
      const tiled = await sampled({ session, options: plain }, { seed: 2, tiles: { tile, overlap } })
      expect(largestDifference(tiled.image, whole.image), `tiles of ${tile}`).toBeLessThan(rounding)
      expect([calls.length, tiled.restored.tiles, tiled.progress.length]).toEqual([
        4 * count,
        count,
        4 * count,
      ])
    }
    expect(
      largestDifference((await sampled({ ...pointwise(), options: plain }, { seed: 3 })).image, whole.image),
    ).toBeGreaterThan(0.01)
  })

  test('receives the times of its training, and progress is reported', async () => {
    const { session, calls } = pointwise()
    const { progress } = await sampled(
      { session, options: plain },
      { samples: 2, steps: 2, tiles: { tile: 16, overlap: 4 } },
    )
    const times = calls.map(({ inputs }) => viewAs((inputs.time as TensorData).bytes, Float32Array)[0])
    expect(times).toEqual([100, 100, 50, 50, 100, 100, 50, 50])
    expect(progress.map(([done]) => done)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(progress[6]).toEqual([7, 8, { step: 2, steps: 2, sample: 2, samples: 2, tile: 1, tiles: 2 }])
  })

  test('gives the same as a self-ensemble, in eight times the calls', async () => {
    const { session, calls } = pointwise()
    const tiles = { tile: 16, overlap: 4 }
    const once = await sampled({ ...pointwise(), options: plain }, { tiles })
    const ensemble = await sampled({ session, options: plain }, { tiles, selfEnsemble: true })
    expect(largestDifference(once.image, ensemble.image)).toBeLessThan(1e-5)
    expect(calls.length).toBe(8 * 4 * 2)
  })

  test('stops between two calls, with every sampler', async () => {
    for (const sampler of ['ode', 'posterior'] as const) {
      const { session, calls } = pointwise()
      const controller = new AbortController()
      const onTile = (done: number) => done === 3 && controller.abort()
      const tiles = { tile: 16, overlap: 4 }
      const running = sampled({ session, options: plain }, { sampler, tiles, run: controller, onTile })
      await expect(running).rejects.toMatchObject({ code: 'aborted' })
      expect(calls.length).toBe(3)
    }
  })

  test('returns the picture at strength 0', async () => {
    const { image } = await sampled({ ...pointwise(), options: plain }, { strength: 0 })
    expect(largestDifference(image, picture)).toBe(0)
  })

  test('returns the mean and deviation of several samples, each with its own seed', async () => {
    const network = { ...pointwise(), options: plain }
    const several = await sampled(network, {
      sampler: 'sde',
      seed: 7,
      samples: 3,
      tiles: { tile: 16, overlap: 4 },
    })
    const alone: Image[] = []
    for (const seed of [7, 8, 9]) alone.push((await sampled(network, { sampler: 'sde', seed })).image)
    for (const [i, one] of alone.entries())
      expect(largestDifference(several.samples[i]!, one), `sample ${i}`).toBeLessThan(1e-5)
    const values = (i: number) => alone.map(({ data }) => data[i]!)
    const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length
    const means = picture.data.map((_, i) => mean(values(i)))
    expect(largestDifference(several.image, { ...size, data: means })).toBeLessThan(1e-5)
    const variance = (i: number) => values(i).reduce((sum, value) => sum + (value - means[i]!) ** 2, 0) / 2
    const deviation = Float32Array.from({ length: 273 }, (_, i) =>
      Math.sqrt(mean([variance(i), variance(i + 273), variance(i + 546)])),
    )
    const reported = several.restored.deviation as Image
    expect(largestDifference(reported, { ...reported, data: deviation })).toBeLessThan(1e-5)
  })

  test('receives only the state with the denoising SDE, from the step whose noise is the picture’s', async () => {
    const { session, calls } = pointwise()
    const options = { ...plain, isConditional: false }
    const { progress } = await sampled({ session, options }, { sde: denoisingSde, steps: 100, noise: 25 })
    expect(calls.length).toBe(progress[0]?.[2]?.steps)
    expect(calls.length).toBeGreaterThan(10)
    expect(calls.length).toBeLessThan(70)
    expect(Object.keys(calls[0]?.inputs ?? {})).toEqual(['state', 'time'])
    expect(calls[0]?.inputs.state?.bytes).toEqual(imageToTensor(picture).bytes)
  })
})

describe('guide embeddings', () => {
  const options = { ...plain, contextWidth: 4, usesDegradation: true }
  const embedding = float32Data(new Float32Array(4), [1, 4])

  test('are computed once from the whole photo, for all tiles and steps', async () => {
    const { session, calls } = pointwise()
    const guideCalls: NamedData[] = []
    const run = async (inputs: NamedData) => {
      guideCalls.push(inputs)
      return { content: embedding, degradation: embedding }
    }
    const guide = guideOf(daClip.fromOptions({ imageSize: [8, 8], features: 4 }), {
      run,
      part: () => ({ run }),
      close: async () => {},
    })
    await sampled({ session, options, guide }, { samples: 2, tiles: { tile: 12, overlap: 4 } })
    expect(guideCalls.map(({ image }) => image?.shape)).toEqual([[1, 3, 8, 8]])
    const [first, ...rest] = calls
    expect([first?.part, Object.keys(first?.inputs ?? {})]).toEqual(['condition', ['degradation']])
    expect(rest).toHaveLength(2 * 4 * 6)
    expect(rest.every(({ part, inputs }) => part === 'predict' && inputs.prompt !== undefined)).toBe(true)
  })
})

describe('in latents', () => {
  const options = { ...latentUnetDefaults, multipliers: [1, 2], latentChannels: 5 }
  const model = loaded(new LatentUnet(init(), options))
  const guide = guideOf(latentUnet.fromOptions(options), sessionOf(model))
  const nafnet = { network: conditionalNafnet.fromOptions({ channels: 5 }) }

  test('a picture of any size is encoded, sampled and decoded', async () => {
    const { session, calls } = pointwise()
    const { image, layout } = await sampled({ ...nafnet, session, guide }, { seed: 4, sampler: 'ode' })
    expect([layout.padded, layout.channels]).toEqual([{ height: 16, width: 24 }, 3])
    expect(calls.map(({ inputs }) => inputs.state?.shape)).toEqual(Array(4).fill([1, 5, 8, 12]))
    const photo = imageToTensor(imageReader(picture, 3, layout.padded)(0, 0, 16, 24))
    const { latent, ...hidden } = await guide.session.part('encode').run({ x: photo })
    expect(calls[0]?.inputs.degraded).toEqual(latent)
    const degraded = viewAs((latent as TensorData).bytes, Float32Array)
    const sde = createSde({ ...restoringSde, sampleSteps: 4 })
    const shape = [1, 5, 8, 12]
    const noise = float32Data(seededNoise(4, { channels: 5, width: 12 })(0, 0, 8), shape)
    let state = evaluate(initial(sde), {
      degraded: hostTensor(float32Data(degraded, shape)),
      noise: hostTensor(noise),
    })
    for (let t = 4; t >= 1; t--) {
      const degradedLatent = hostTensor(float32Data(degraded, shape))
      const prediction = state
        .mul(0.2)
        .sub(degradedLatent.mul(0.1))
        .add((25 * t) / 1000)
      state = evaluate(reverseStep(sde, t, 'ode'), { state, degraded: degradedLatent, prediction })
    }
    const { y } = await guide.session.part('decode').run({ ...hidden, latent: state.read() })
    const decoded = {
      channels: 3,
      height: 16,
      width: 24,
      data: viewAs((y as TensorData).bytes, Float32Array),
    }
    expect(largestDifference(image, crop(decoded, 0, 0, 13, 21))).toBeLessThan(1e-4)
  })

  test('tiles are measured in pixels of the picture, and a self-ensemble is rejected', async () => {
    const { session, calls } = pointwise()
    const { image, layout } = await sampled(
      { ...nafnet, session, guide },
      { tiles: { tile: 16, overlap: 8 } },
    )
    expect([layout.tilePx, image.width, image.height]).toEqual([16, 21, 13])
    expect(calls[0]?.inputs.state?.shape).toEqual([1, 5, 8, 8])
    await expect(sampled({ ...nafnet, session, guide }, { tiles: { tile: 14 } })).rejects.toThrow(
      'tile: expected a multiple of 4 pixels, got 14',
    )
    await expect(sampled({ ...nafnet, session, guide }, { selfEnsemble: true })).rejects.toThrow(
      'cannot be rotated',
    )
  })
})

test('with memory for a whole picture, only networks with attention between all pixels are tiled', async () => {
  const wide: Image = { channels: 3, height: 4, width: 800, data: new Float32Array(3 * 4 * 800).fill(0.5) }
  const count = async (options: object) =>
    (await sampled({ ...pointwise(), options }, { image: wide, steps: 1, tiles: {} })).restored.tiles
  expect(await count(plain)).toBe(1)
  expect(await count({ ...plain, contextWidth: 4, usesContent: true })).toBeGreaterThan(1)
})

test('a picture smaller than the network’s own padding is padded first', async () => {
  const tiny = crop(picture, 0, 0, 2, 1)
  const model = loaded(new ConditionalUnet(init(), plain))
  const network = { session: sessionOf(model), options: model.options }
  const { image, layout } = await sampled(network, { image: tiny, steps: 2 })
  expect([layout.padded, image.width, image.height]).toEqual([{ height: 3, width: 3 }, 1, 2])
})
