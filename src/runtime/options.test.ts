// Options that do not exist or have wrong values are named before anything is opened or read.

import { describe, expect, test } from 'vitest'
import { createDetector } from './detector.ts'
import { restore } from './restore.ts'
import { createRestorer } from './restorer.ts'

const picture = { data: new Uint8Array(3), width: 1, height: 1, channels: 3 }
const call = (action: (...given: never[]) => Promise<unknown>, ...given: readonly unknown[]) =>
  (action as (...values: readonly unknown[]) => Promise<unknown>)(...given).catch((error: unknown) => error)

describe('options', () => {
  test.each<[object, string]>([
    [{ modle: 'light-photo' }, "unknown option of restore 'modle': .*; did you mean model\\?"],
    [{ sterngth: 0.5 }, 'did you mean strength\\?'],
    [JSON.parse('{"__proto__":1}'), "unknown option of restore '__proto__'"],
    [{ strength: '0.5' }, "strength: expected a number from 0 to 1, got '0.5'"],
    [{ strength: Number.NaN }, 'strength: expected a number from 0 to 1, got NaN'],
    [{ tile: 'all' }, "tile: expected auto or none, or a whole number from 8 to 16777216, got 'all'"],
    [{ tile: 12.5 }, 'tile: expected auto or none, or a whole number'],
    [{ overlap: -1 }, 'overlap: expected a whole number from 0'],
    [{ blend: 'soft' }, "blend: expected smooth or official, got 'soft'"],
    [{ samples: 1e9 }, 'samples: expected a whole number from 1 to 1000, got 1000000000'],
    [{ threads: 1e6 }, 'threads: expected a whole number from 1 to 1024, got 1000000'],
    [{ sampler: 'euler' }, "sampler: expected posterior, sde, mean or ode, got 'euler'"],
    [{ opacity: true }, 'opacity: expected keep or restore, got true'],
    [{ selfEnsemble: 1 }, 'selfEnsemble: expected true or false, got 1'],
    [{ options: '{}' }, "options: expected an object, got '{}'"],
    [{ signal: {} }, 'signal: expected an AbortSignal, got an object'],
    [{ onProgress: [] }, 'onProgress: expected a function, got a list of 0'],
    [{ weights: new URL('file:///a') }, 'weights: expected text, got a URL'],
    [{ pixelLimit: 0 }, 'pixelLimit: expected a number from 1 to'],
    [{ name: null }, 'name: expected text, got null'],
  ])('%j of restore are refused', async (options, message) => {
    expect(await call(restore, picture, options)).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message),
    })
  })

  test.each<[string, (...given: never[]) => Promise<unknown>, unknown, string]>([
    ['createRestorer', createRestorer, null, 'createRestorer: expected options as an object, got null'],
    ['createRestorer', createRestorer, 'light-photo', "as an object, got 'light-photo'"],
    ['createRestorer', createRestorer, { strength: 1 }, "unknown option of createRestorer 'strength'"],
    ['createDetector', createDetector, { prompt: 'hazy' }, 'did you mean prompts\\?'],
    ['createDetector', createDetector, { prompts: 'hazy' }, 'prompts: expected a list of texts'],
  ])('of %s are checked', async (_, action, options, message) => {
    expect(await call(action, options)).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message),
    })
  })

  test('of an open restorer are checked for every picture, also for planes', async () => {
    await using restorer = await createRestorer({ device: 'cpu', threads: 1 })
    const image = { width: 1, height: 1, channels: 3, data: new Float32Array(3) }
    const run = restorer.run.bind(restorer)
    const runPlanes = restorer.runPlanes.bind(restorer)
    const refused = await Promise.all([
      call(run, picture, { modle: 'x' }),
      call(runPlanes, image, { steps: 2 }),
      call(runPlanes, image, { strenght: 1 }),
      call(runPlanes, { ...image, data: new Float32Array(4) }),
      call(runPlanes, { ...image, data: [1, 2, 3] }),
      call(runPlanes, { ...image, data: new Float32Array(3).fill(Number.NaN) }),
      call(runPlanes, { ...image, width: 0 }),
      call(runPlanes, null),
    ])
    expect(refused.map((error) => String(Object(error).message))).toEqual([
      expect.stringContaining("unknown option of run 'modle'"),
      expect.stringContaining('steps: expected a network that samples'),
      expect.stringContaining('did you mean strength?'),
      expect.stringContaining('image: expected width, height, channels and that many float32 values'),
      expect.stringContaining('and a list of 3'),
      expect.stringContaining('image: expected finite values in data, got NaN'),
      expect.stringContaining('got 0 × 1 × 3 and 3 values'),
      expect.stringContaining('got undefined × undefined × undefined and undefined'),
    ])
  })
})
