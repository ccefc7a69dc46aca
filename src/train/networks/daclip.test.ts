// Samples, initialization and losses of DA-CLIP.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readCase, tensor } from '../../../test/fixtures/cases.ts'
import { libtorchMissing } from '../../../test/libtorch.ts'
import { writePictures } from '../../../test/recipes/images.ts'
import { numbersOf } from '../../../test/values.ts'
import { writeSafetensors } from '../../checkpoints/files.ts'
import { float32Data, int64Data, viewAs } from '../../core/data.ts'
import { counterRandom } from '../../core/random.ts'
import { crop, type Image, type Pixels } from '../../data/image.ts'
import { type ClipOptions, clipDefaults } from '../../models/clip/clip.ts'
import { DaClip, daClipLosses, daClipOptionsFromWeights } from '../../models/daclip/daclip.ts'
import { degradationWords, maxLogitScale } from '../../models/daclip/words.ts'
import { randomInit } from '../../nn/init.ts'
import { parameters, stateDict } from '../../nn/module.ts'
import { loadModel } from '../../registry/loadModel.ts'
import { backward, grad, moveToTorch, noGrad, scalar, scope, toTorch } from '../../torch/backend.ts'
import { adamW, assign } from '../../torch/optim.ts'
import { RandomGenerator } from '../../torch/rng.ts'
import type { Weights } from '../recipe/recipe.ts'
import { readCaptions } from '../samples/captions.ts'
import { folder, openImages, pairFolders } from '../samples/images.ts'
import { balancedKinds } from '../samples/kindFolders.ts'
import { croppedTo, type Draw } from '../samples/samples.ts'
import {
  DetectorDaClip,
  degradeByKind,
  detectorLosses,
  detectorSamples,
  drawTexts,
  tenKinds,
  tenKindsPaired,
} from './daClipKinds.ts'
import {
  captioned,
  captionedImages,
  clampingLogitScale,
  clipDecays,
  controllerLosses,
  fromClip,
  guideEmbeddings,
  openGuide,
  withClip,
} from './daclip.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-daclip-'))
const tiny: ClipOptions = {
  ...clipDefaults,
  features: 8,
  imageSize: [16, 16],
  patch: 8,
  visionWidth: 8,
  visionLayers: 2,
  visionHeads: 1,
  contextLength: 20,
  textWidth: 8,
  textLayers: 1,
  textHeads: 1,
}
const picture: Pixels = {
  width: 60,
  height: 48,
  channels: 3,
  hasAlpha: false,
  data: Uint8Array.from({ length: 60 * 48 * 3 }, (_, i) => (i * 37) % 251),
}
const init = (seed: number) => {
  const random = counterRandom(seed)
  return randomInit(() => random.uniform())
}

function draw(root: string, seed: number, changes: Partial<Draw> = {}): Draw {
  return {
    index: 0,
    name: 'a.png',
    views: { target: picture },
    data: { images: folder(root) },
    phase: { steps: 1, crop: 24, batch: 2 },
    step: 0,
    random: counterRandom(seed),
    shared: counterRandom(0),
    ...changes,
  }
}

afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('a caption file', () => {
  const file = join(dir, 'captions.csv')
  const write = (...lines: readonly string[]) => writeFileSync(file, `${lines.join('\n')}\n`)

  beforeAll(() => writePictures(join(dir, 'LQ'), 2))

  test('lists images in order with caption and degradation, even if the caption contains a colon', async () => {
    write('filepath\ttitle', 'LQ/1.png\ta sign: a cat: hazy', 'LQ/0.png\ta dog: noisy')
    expect(readCaptions(file).map(({ caption, degradation }) => [caption, degradation])).toEqual([
      ['a sign: a cat', 'hazy'],
      ['a dog', 'noisy'],
    ])
    const images = captionedImages(dir, 'captions.csv')
    expect((await openImages(images)).names).toEqual(['LQ/1.png', 'LQ/0.png'])
    const sample = captioned(degradationWords, { imageSize: [16, 16], contextLength: 20 })
    const first = sample(draw(dir, 1, { data: { images } }))
    expect([first.label, first.image.shape, first.caption.shape]).toEqual([1, [3, 16, 16], [20]])
    expect(sample(draw(dir, 1, { data: { images } }))).toEqual(first)
    expect(sample(draw(dir, 2, { data: { images } })).image).not.toEqual(first.image)
  })

  test('is rejected by file and line for a missing separator or an overlong caption', async () => {
    write('filepath\ttitle', 'LQ/0.png a dog: noisy')
    expect(() => readCaptions(file)).toThrow(/captions\.csv:2: expected a path, one tab and a title, got/)
    write('LQ/0.png\ta dog: noisy', 'LQ/1.png\ta noisy dog')
    expect(() => readCaptions(file)).toThrow(/captions\.csv:2: expected a title .* without a separator/)
    write(`LQ/0.png\t${'dog '.repeat(80)}: noisy`)
    const images = captionedImages(dir, 'captions.csv')
    await expect(openImages(images)).rejects.toThrow(/captions\.csv:1: expected .* at most 75 tokens, got 80/)
    write('filepath\ttitle')
    expect(() => readCaptions(file)).toThrow('found none')
    expect(() => captionedImages(dir, 'captions.txt')).toThrow('expected a file *.csv')
  })

  test('is rejected for a degradation that is not among the words of the recipe', () => {
    write('LQ/0.png\ta dog: wet')
    const sample = captioned(degradationWords, { imageSize: [16, 16], contextLength: 20 })
    const images = captionedImages(dir, 'captions.csv')
    expect(() => sample(draw(dir, 1, { data: { images } }))).toThrow(/captions\.csv:1: .*, got 'wet'/)
  })
})

describe('folders of kinds', () => {
  const root = join(dir, 'universal')
  const images = pairFolders(root, { input: '*/LQ', target: '*/GT' }, { match: 'order' })

  test('are paired within each kind and alternate, however many images each has', async () => {
    for (const [kind, count] of [
      ['hazy', 4],
      ['noisy', 1],
    ] as const)
      for (const view of ['LQ', 'GT']) await writePictures(join(root, kind, view), count)
    const { names, sources } = await openImages(images)
    expect(names).toHaveLength(5)
    expect(sources.input?.name(4)).toBe('noisy/LQ/0.png')
    const order = balancedKinds(degradationWords)(names, counterRandom(1))
    expect(order.map((i) => i === 4)).toEqual([false, true, false, true, false])
  })

  test('are rejected for unknown names and unequal counts', async () => {
    const unknown = /wet\/GT\/0\.png: expected a folder named after a degradation .*got 'wet'/
    expect(() => balancedKinds(degradationWords)(['wet/GT/0.png'], counterRandom(1))).toThrow(unknown)
    mkdirSync(join(root, 'snowy'), { recursive: true })
    await writePictures(join(root, 'snowy', 'LQ'), 2)
    await writePictures(join(root, 'snowy', 'GT'), 3)
    await expect(openImages(images)).rejects.toThrow(/snowy: expected as many .* 3, got 2/)
  })
})

describe('ten kinds on clean photos', () => {
  test('change the image, round to 8 bits and repeat with the same seed', () => {
    const image = { width: 64, height: 64, channels: 3, data: new Float32Array(3 * 4096) }
    image.data.forEach((_, i) => {
      image.data[i] = Math.round(127 + 100 * Math.sin(i / 9) * Math.cos(i / 640)) / 255
    })
    for (const kind of tenKinds.keys()) {
      const [a, b] = [1, 1].map((seed) => degradeByKind(image, kind, counterRandom(seed)).data)
      expect(a).toEqual(b)
      expect(a).not.toEqual(image.data)
      expect(a?.every((value) => Math.abs(value * 255 - Math.round(value * 255)) < 1e-4)).toBe(true)
    }
    expect(degradeByKind(image, tenKinds.length, counterRandom(1)).data).toEqual(image.data)
  })

  test('are as frequent as clean photos in the samples of a detector', () => {
    const pair = { input: { ...picture, data: picture.data.map((value) => 255 - value) }, target: picture }
    const sample = detectorSamples(tiny)
    const kinds = Array.from({ length: 330 }, (_, seed) => {
      const name = `${degradationWords[seed % 10]}/GT/a.png`
      const { kind } = sample(draw(dir, seed, { name, views: pair }))
      expect([seed % 10, tenKinds.length]).toContain(kind)
      return kind
    })
    const counts = Array.from({ length: 11 }, (_, kind) => kinds.filter((found) => found === kind).length)
    expect(Math.min(...counts)).toBeGreaterThan(15)
    expect(() => sample(draw(dir, 1, { name: 'wet/GT/a.png', views: pair }))).toThrow("got 'wet'")
    expect(() => sample(draw(dir, 1))).toThrow('expected views input and target')
  })

  test('are labeled for every patch, clean where there is no damage', () => {
    const input = { ...picture, data: picture.data.map((value, i) => (i < 60 * 8 * 3 ? value ^ 128 : value)) }
    const sample = detectorSamples({ imageSize: [24, 24], patch: 8 })
    const name = 'uncompleted/GT/a.png'
    const patchesOf = (sampleKind: number) =>
      Array.from({ length: 40 }, (_, seed) =>
        sample(draw(dir, seed, { name, views: { input, target: picture } })),
      )
        .filter(({ kind }) => kind === sampleKind)
        .map(({ patches }) => Array.from(viewAs(patches.bytes, BigInt64Array), Number))
    const clean = tenKinds.length
    const holes = degradationWords.indexOf('uncompleted')
    expect(new Set(patchesOf(clean).flat())).toEqual(new Set([clean]))
    for (const patches of patchesOf(holes))
      expect(patches).toEqual([...Array(3).fill(holes), ...Array(6).fill(clean)])
  })

  test('make pairs of input and target from photos alone', () => {
    const { input, target } = tenKindsPaired()(draw(dir, 3))
    expect([input.width, target.width]).toEqual([24, 24])
  })

  test('can be cropped after the guide’s input is made from the whole', () => {
    const whole = withClip(tenKindsPaired(), [24, 24])(draw(dir, 3))
    const part = croppedTo(withClip(tenKindsPaired(), [24, 24]), 8)(draw(dir, 3))
    expect(part.clip).toEqual(whole.clip)
    const places = Array.from({ length: 17 * 17 }, (_, i) => [Math.floor(i / 17), i % 17] as const)
    const isPart =
      (image: Image, of: Image) =>
      ([top, left]: readonly [number, number]) =>
        String(crop(of, top, left, 8, 8).data) === String(image.data)
    const matches = places.filter(isPart(part.input, whole.input)).filter(isPart(part.target, whole.target))
    expect(matches.length).toBe(1)
  })

  test('have distinct texts', () => {
    for (let seed = 0; seed < 50; seed++) expect(new Set(drawTexts(counterRandom(seed))).size).toBe(11)
  })
})

describe.skipIf(libtorchMissing !== undefined)('a DA-CLIP in training', () => {
  const pictures = (count: number) =>
    float32Data(
      Float32Array.from({ length: count * 768 }, (_, i) => Math.sin(i * i)),
      [count, 3, 16, 16],
    )

  test('has the official losses if equal texts are negatives', () => {
    const fixture = readCase(join('test', 'golden', 'fixtures', 'clip', 'daclip_tiny.json'))
    const { network } = loadModel(fixture.weights(), { visionHeads: 2, textHeads: 4 })
    if (!(network instanceof DaClip)) throw new Error('expected a DA-CLIP')
    moveToTorch(network)
    const [captions, degradations] = toTorch(tensor(fixture, 'in.text')).chunk(2, 1)
    const batch = { image: toTorch(tensor(fixture, 'in.image')), captions, degradations }
    const losses = daClipLosses(network, batch)
    for (const [name, loss] of [
      ['contrastive', losses.content],
      ['degra', losses.degradation],
    ] as const) {
      const [expected] = Array.from(numbersOf(tensor(fixture, `out.${name}_loss`)))
      expect(scalar(loss)).toBeCloseTo(expected ?? 0, 4)
    }
  })

  test('is initialized from a CLIP or from a DA-CLIP', () => {
    const sources = (network: object): Weights =>
      new Map(
        [...stateDict(network)].map(([key, weight]) => [
          key,
          { shape: weight.shape as number[], floats: () => numbersOf(weight.read()) as Float32Array },
        ]),
      )
    const whole = sources(new DaClip(init(1), tiny))
    const random = sources(new DaClip(init(2), tiny))
    const inner = [...whole].flatMap(([key, value]) =>
      key.startsWith('clip.') ? [[key.slice(5), value] as const] : [],
    )
    const adapt = fromClip(tiny, { asPublished: false })
    const started = adapt(new Map(inner), random)
    const values = (from: Weights, key: string) => [...(from.get(key)?.floats() ?? [])]
    expect(values(started, 'visual_control.proj')).toEqual(values(whole, 'clip.visual.proj'))
    expect(values(started, 'visual_control.transformer.zero_modules.0.weight')).toEqual(new Array(64).fill(0))
    expect(adapt(whole, random)).toBe(whole)
  })

  test('trains only the controller and the logit scale, which stays below ln 100', () => {
    const network = new DaClip(init(1), tiny)
    moveToTorch(network)
    const trained = parameters(network)
    const optimizer = clampingLogitScale(adamW(trained, { weightDecay: 0.05, decays: clipDecays }), trained)
    const batch = {
      image: toTorch(pictures(4)),
      caption: toTorch({
        dtype: 'int64',
        shape: [4, 20],
        bytes: new Uint8Array(BigInt64Array.from({ length: 80 }, (_, i) => BigInt(i + 1)).buffer),
      }),
      label: [0, 1, 1, 2],
    }
    const rest = { random: counterRandom(1), generator: new RandomGenerator(1), step: 0 }
    const losses = (equalTexts: string) => {
      const context = { model: network, batch, constants: { equalTexts }, ...rest }
      const { content, degradation } = controllerLosses(degradationWords, 20)(context)
      if (!content || !degradation) throw new Error('expected two losses')
      return { content, degradation }
    }
    const right = losses('right')
    const wrong = losses('wrong')
    expect(() => losses('maybe')).toThrow('expected right or wrong, got maybe')
    expect(scalar(right.content)).toBeCloseTo(scalar(wrong.content), 5)
    expect(Math.abs(scalar(right.degradation) - scalar(wrong.degradation))).toBeGreaterThan(1e-3)
    backward(right.content.add(right.degradation))
    expect([...stateDict(network.clip)].filter(([, weight]) => grad(weight)).map(([key]) => key)).toEqual([])
    expect([...optimizer.state().keys()].filter((key) => key.startsWith('clip.'))).toEqual([])
    noGrad(() => assign(network.logit_scale, network.logit_scale.mul(0).add(9)))
    optimizer.step(1e-3)
    expect(scalar(network.logit_scale)).toBeCloseTo(maxLogitScale, 5)
  })

  test('learns degradation words without captions and leaves unused tokens at zero', () => {
    const network = new DetectorDaClip(init(3), { ...tiny, stem: [6, 8] })
    moveToTorch(network)
    const trained = parameters(network)
    expect([...trained.keys()].filter((key) => /^visual\.|clip\.visual|zero_modules/.test(key))).toEqual([])
    expect(trained.has('clip.token_embedding.weight')).toBe(true)
    const optimizer = adamW(trained, { weightDecay: 0.05, decays: clipDecays })
    const patches = toTorch(
      int64Data(
        [0, 3, 3, 10].flatMap((kind) => [kind, kind, kind, 10]),
        [4, 4],
      ),
    )
    const batch = { image: toTorch(pictures(4)), kind: [0, 3, 3, 10], patches }
    const degradationLosses: number[] = []
    const patchLosses: number[] = []
    for (let step = 0; step < 30; step++) {
      optimizer.zeroGrad()
      scope(() => {
        const rest = { random: counterRandom(step), generator: new RandomGenerator(1), step }
        const losses = detectorLosses(20)({ model: network, batch, constants: {}, ...rest })
        if (!losses.degradation || !losses.patches) throw new Error('expected both losses')
        backward(losses.degradation.add(losses.patches))
        degradationLosses.push(scalar(losses.degradation))
        patchLosses.push(scalar(losses.patches))
      })
      optimizer.step(3e-3)
    }
    expect(degradationLosses.at(-1)).toBeLessThan(0.7 * (degradationLosses[0] ?? 0))
    expect(patchLosses[0]).toBeCloseTo(Math.log(11), 0)
    expect(patchLosses.at(-1)).toBeLessThan(0.7 * (patchLosses[0] ?? 0))
    const rows = Array.from(numbersOf(network.clip.token_embedding.weight.read()))
    const isZero = (id: number) => rows.slice(id * 8, id * 8 + 8).every((value) => value === 0)
    expect([isZero(2368), isZero(33495)]).toEqual([true, false])
    const published = [...stateDict(network)].filter(([key]) => DetectorDaClip.publishes(key))
    const shapes = new Map(published.map(([key, { shape }]) => [key, shape as number[]] as const))
    const { stem, patch, imageSize } = daClipOptionsFromWeights(shapes)
    expect({ stem, patch, imageSize }).toEqual({ stem: [6, 8], patch: 8, imageSize: [16, 16] })
  })

  test('embeds images without gradients once it is opened', () => {
    const file = join(dir, 'guide.safetensors')
    const tensors = [...stateDict(new DaClip(init(4), tiny))].map(
      ([key, weight]) => [key, weight.read()] as const,
    )
    writeSafetensors(file, new Map(tensors))
    const clip = toTorch(pictures(2))
    expect(() => guideEmbeddings(file, clip)).toThrow('whose network.start opens it')
    openGuide(file, 'cpu')
    const { content, degradation } = scope(() => guideEmbeddings(file, clip))
    expect([content.shape, degradation.shape]).toEqual([
      [2, 8],
      [2, 8],
    ])
    // The weights survive the scope of a step.
    expect(scope(() => guideEmbeddings(file, clip)).content.read()).toEqual(content.read())
    const other = toTorch(float32Data(new Float32Array(3 * 64), [1, 3, 8, 8]))
    expect(() => guideEmbeddings(file, other)).toThrow(
      'expected images of 16 x 16 pixels for this DA-CLIP, got 8 x 8',
    )
  })
})
