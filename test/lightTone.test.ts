// The tone network: equal on both backends, the identity when new, and whole photos through the restorer.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as runtime from 'onnxruntime-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeSafetensors } from '../src/checkpoints/files.ts'
import { encodeSafetensors } from '../src/checkpoints/safetensors.ts'
import { float32Data, viewAs } from '../src/core/data.ts'
import { hostTensor } from '../src/core/hostBackend.ts'
import {
  LightTone,
  lightTone,
  lightToneDefaults,
  lightToneOptionsFromWeights,
} from '../src/models/lightTone/lightTone.ts'
import { emptyInit, randomInit } from '../src/nn/init.ts'
import { mapTensors, parameterCount, stateDict } from '../src/nn/module.ts'
import type { RestorerOptions } from '../src/runtime/restorer.ts'
import { createRestorer, type Restorer } from '../src/runtime/restorer.ts'
import { nodeSession } from '../src/runtime/session/nodeOnnxSession.ts'
import { moveToTorch, noGrad, toTorch } from '../src/torch/backend.ts'
import { createRestorer as createWebRestorer } from '../src/web.ts'
import { libtorchMissing } from './libtorch.ts'

const tiny = { ...lightToneDefaults, width: 4 }

function init() {
  let drawn = 0
  return randomInit(() => (++drawn * 0.618034) % 1)
}

/** A network whose zero-initialized heads are set, so that it changes every photo. */
function network(): LightTone {
  const made = new LightTone(init(), tiny)
  let drawn = 0
  mapTensors(made, (tensor, key) => {
    if (!/^(maps|gates|colors)/.test(key)) return tensor
    const sure = key === 'gates.bias' ? 4 : 0
    const shape = tensor.shape as readonly number[]
    const count = shape.reduce((product, size) => product * size, 1)
    const values = Float32Array.from({ length: count }, () => sure + 0.2 * (1 + Math.sin(++drawn)))
    return hostTensor(float32Data(values, shape))
  })
  return made
}

function numbers(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => 0.5 + 0.5 * Math.sin(0.7 * i))
}

const inputs = {
  view: float32Data(numbers(3 * 64 * 64), [1, 3, 64, 64]),
  priors: float32Data(numbers(3 * 64 * 64).reverse(), [1, 3, 64, 64]),
  priorLight: float32Data(numbers(3), [1, 3]),
}

describe('the tone network', () => {
  test.skipIf(libtorchMissing)('gives on ONNX Runtime what it gives on libtorch', async () => {
    const options = lightTone.fromOptions(tiny)
    const made = network()
    const session = nodeSession({
      forward: ({ view, priors, priorLight }) => ({
        ...made.forward({ view: view!, priors: priors!, priorLight: priorLight! }),
      }),
    })
    const found = await session.run(inputs).finally(() => session.close())
    expect(Object.keys(found)).toEqual(options.outputs)
    const eager = network()
    moveToTorch(eager)
    const [view, priors, priorLight] = Object.values(inputs).map((data) => toTorch(hostTensor(data)))
    const expected = noGrad(() => {
      const outputs = eager.forward({ view: view!, priors: priors!, priorLight: priorLight! })
      return Object.entries(outputs).map(([name, tensor]) => [name, tensor.read()] as const)
    })
    for (const [name, { bytes, shape }] of expected) {
      expect(found[name]?.shape).toEqual(shape)
      const got = viewAs(found[name]!.bytes, Float32Array)
      for (const [i, value] of viewAs(bytes, Float32Array).entries())
        expect(Math.abs(value - got[i]!)).toBeLessThan(1e-4)
    }
    expect(found.transmission?.shape).toEqual([1, 1, 16, 16])
  })

  test('finds no fault when it is new', async () => {
    const session = nodeSession(lightTone.fromOptions(tiny).create(init()))
    const found = await session.run(inputs).finally(() => session.close())
    const values = (name: string) => viewAs(found[name]!.bytes, Float32Array)
    expect(new Set(values('transmission'))).toEqual(new Set([1]))
    expect(values('gain').every((gain) => gain === 0)).toBe(true)
    expect(values('balance').every((log) => log === 0)).toBe(true)
    expect(values('airlight')).toEqual(viewAs(inputs.priorLight.bytes, Float32Array))
  })

  test('tells its options by the shapes of its weights, and has less than a million', () => {
    for (const options of [lightToneDefaults, tiny]) {
      const made = new LightTone(emptyInit(), options)
      const shapes = [...stateDict(made)].map(
        ([key, { shape }]) => [key, shape as readonly number[]] as const,
      )
      expect(lightToneOptionsFromWeights(new Map(shapes))).toEqual(options)
    }
    expect(parameterCount(new LightTone(emptyInit(), lightToneDefaults))).toBeLessThan(1e6)
  })

  test('refuses an unknown tone', () => {
    expect(() => lightTone.fromOptions({ tone: 'loud' })).toThrow(
      'options: expected tone all, haze or light, got loud',
    )
  })
})

describe('a restorer with the tone network', () => {
  const dir = mkdtempSync(join(tmpdir(), 'limpid-tone-'))
  const weights = join(dir, 'tone.safetensors')
  const size = { width: 70, height: 45 }
  const samples = Uint8Array.from(
    { length: 70 * 45 * 3 },
    (_, i) => 127 + 90 * Math.sin(i / 31) * Math.cos(i / 411),
  )
  const picture = { ...size, channels: 3, data: samples } as const
  let restorer: Restorer
  const open = (options: Partial<RestorerOptions> = {}) =>
    createRestorer({ weights, device: 'cpu', threads: 1, ...options })

  beforeAll(async () => {
    writeSafetensors(weights, new Map([...stateDict(network())].map(([key, tensor]) => [key, tensor.read()])))
    restorer = await open()
  })
  afterAll(async () => {
    await restorer.close()
    rmSync(dir, { recursive: true, force: true })
  })

  test('changes a photo, the same each time and for every tile', async () => {
    const first = (await restorer.run(picture)).raw().data
    expect(first).not.toEqual(samples)
    expect((await restorer.run(picture)).raw().data).toEqual(first)
    expect((await restorer.run(picture, { tile: 16, overlap: 4 })).raw().data).toEqual(first)
  })

  test('leaves every sample at a strength of 0, of 8 and of 16 bits', async () => {
    expect((await restorer.run(picture, { strength: 0 })).raw().data).toEqual(samples)
    const data = Uint16Array.from(samples, (value, i) => 251 * value + (i % 200))
    expect((await restorer.run({ ...picture, data }, { strength: 0 })).raw().data).toEqual(data)
  })

  test('gives 16 bits for 16 bits, near those of 8', async () => {
    const data = Uint16Array.from(samples, (value) => 257 * value)
    const fine = (await restorer.run({ ...picture, data })).raw().data
    const coarse = (await restorer.run(picture)).raw().data
    expect(fine).toBeInstanceOf(Uint16Array)
    for (const [i, value] of coarse.entries()) expect(Math.abs(fine[i]! / 257 - value)).toBeLessThan(1.01)
  })

  test('keeps gray gray and opacity as it was', async () => {
    const gray = { ...size, channels: 1, data: samples.subarray(0, 70 * 45) } as const
    const result = await restorer.run(gray)
    expect(result.raw().channels).toBe(1)
    const rgb = Uint8Array.from({ length: 70 * 45 * 3 }, (_, i) => gray.data[Math.floor(i / 3)]!)
    const colored = (await restorer.run({ ...picture, data: rgb })).raw().data
    for (const [i, value] of colored.entries()) expect(value).toBe(colored[i - (i % 3)])
    const opaque = Uint8Array.from({ length: 70 * 45 * 4 }, (_, i) =>
      i % 4 === 3 ? (i >> 2) % 256 : samples[(i >> 2) * 3 + (i % 4)]!,
    )
    const { data } = (await restorer.run({ ...size, channels: 4, data: opaque })).raw()
    for (let i = 3; i < data.length; i += 4) expect(data[i]).toBe(opaque[i])
  })

  test('mends only what is asked for', async () => {
    const results = [(await restorer.run(picture)).raw().data]
    for (const tone of ['haze', 'light']) {
      const one = await open({ options: { tone } })
      results.push((await one.run(picture)).raw().data)
      await one.close()
    }
    const [all, haze, light] = results
    expect(haze).not.toEqual(light)
    expect(haze).not.toEqual(all)
    expect(light).not.toEqual(all)
  })

  test('refuses all orientations, and opacity as a picture', async () => {
    await expect(async () => restorer.run(picture, { selfEnsemble: true })).rejects.toThrow(
      'selfEnsemble: expected false',
    )
    await expect(async () => restorer.run(picture, { opacity: 'restore' })).rejects.toThrow(
      'opacity: expected keep',
    )
  })

  test('gives in a browser what it gives in Node', async () => {
    const bytes = encodeSafetensors(
      new Map([...stateDict(network())].map(([key, tensor]) => [key, tensor.read()])),
    )
    const web = await createWebRestorer({ runtime, weights: bytes, device: 'cpu' })
    const result = (await web.run(picture)).raw().data
    await web.close()
    expect(result).toEqual((await restorer.run(picture)).raw().data)
  })
})
