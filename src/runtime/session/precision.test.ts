import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { libtorchMissing } from '../../../test/libtorch.ts'
import { readCheckpoint } from '../../checkpoints/files.ts'
import { packageFolder } from '../../data/packageFiles.ts'
import { processorFeatures } from '../../files/processor.ts'
import { describeNetwork } from '../../registry/loadModel.ts'
import { createAutoRestorer } from '../autoRestorer.ts'
import { createRestorer } from '../restorer.ts'
import { type PlacedNetwork, placementsIn } from './precision.ts'

const packaged = (model: string): PlacedNetwork => {
  const weights = join(packageFolder(), 'weights', `${model}.safetensors`)
  return { network: describeNetwork(readCheckpoint(weights)), model }
}
const photo = packaged('light-photo')
const features = processorFeatures()
const hasBfloat16 = features.has('avx512_bf16') || features.has('amx_bf16')

describe('dtype', () => {
  test('is float32 unless another is asked for', () => {
    expect(placementsIn({ device: 'cpu' }, photo).map(({ dtype }) => dtype)).toEqual(['float32'])
    expect(placementsIn({ device: 'cpu', dtype: 'auto' }, photo).at(-1)?.dtype).toBe('float32')
  })

  test('auto stays float32 where bfloat16 was not measured or is not there', () => {
    const dtypesOf = (request: object, network = photo) =>
      placementsIn({ device: 'cpu', dtype: 'auto', ...request }, network).map(({ dtype }) => dtype)
    expect(dtypesOf({}, packaged('light-tone'))).toEqual(['float32'])
    expect(dtypesOf({}, { network: photo.network })).toEqual(['float32'])
    expect(dtypesOf({ backend: 'onnx' })).toEqual(['float32'])
    expect(dtypesOf({ device: 'webgpu' })).toEqual(['float32'])
    expect(placementsIn({ device: 'cpu', dtype: 'auto' }, { network: undefined })).toHaveLength(1)
  })

  test('bfloat16 is refused where it cannot be, with what to do', async () => {
    const opening = (request: object, network = photo) => {
      return () => placementsIn({ dtype: 'bfloat16', ...request }, network)
    }
    expect(opening({ device: 'webgpu' })).toThrow('device: expected auto or cpu with bfloat16')
    expect(opening({ backend: 'onnx' })).toThrow('backend: expected auto or torch with bfloat16')
    expect(opening({}, packaged('light-tone'))).toThrow('dtype: expected auto or float32 for light-tone')
    expect(() => placementsIn({ dtype: 'bfloat16' }, { network: undefined })).toThrow('for an ONNX file')
    await expect(createAutoRestorer({ dtype: 'bfloat16' })).rejects.toThrow(
      'dtype: expected auto or float32 beside task auto',
    )
  })

  test.skipIf(hasBfloat16)('bfloat16 needs a processor that has it', () => {
    expect(() => placementsIn({ dtype: 'bfloat16' }, photo)).toThrow('expected a processor with avx512_bf16')
  })
})

describe.skipIf(!hasBfloat16 || libtorchMissing !== undefined)('bfloat16', () => {
  test.skipIf(features.has('amx_bf16'))('is what auto tries first for a measured model', () => {
    const placements = placementsIn({ device: 'cpu', dtype: 'auto' }, photo)
    expect(placements.map(({ backend, dtype }) => [backend, dtype])).toEqual([
      ['torch', 'bfloat16'],
      ['onnx', 'float32'],
    ])
  })

  test('is not what auto tries for other weights of a measured model', async () => {
    const model = 'light-photo'
    const weights = join(packageFolder(), 'weights', 'light-denoise.safetensors')
    for (const given of [{ weights }, { mix: { weights, share: 0.5 } }]) {
      await using restorer = await createRestorer({
        model,
        ...given,
        device: 'cpu',
        threads: 1,
        dtype: 'auto',
      })
      expect(restorer.facts.dtype).toBe('float32')
    }
    await using own = await createRestorer({ model, device: 'cpu', threads: 1, dtype: 'auto' })
    expect(own.facts.dtype).toBe(features.has('amx_bf16') ? 'float32' : 'bfloat16')
  })

  test('restores a photo within 50 dB of float32, and is told', async () => {
    const side = 64
    const values = (i: number) => 32_768 + 25_000 * Math.sin(i / 50) + 200 * ((i * 37) % 21)
    const data = Uint16Array.from({ length: 3 * side * side }, (_, i) => values(i))
    const restored = async (dtype: string) => {
      await using restorer = await createRestorer({ model: 'light-photo', device: 'cpu', threads: 1, dtype })
      const result = await restorer.run({ data, width: side, height: side, channels: 3 })
      expect(result.info.dtype).toBe(dtype)
      return [...result.raw().data]
    }
    const [full, reduced] = [await restored('float32'), await restored('bfloat16')]
    const squares = full.reduce((sum, value, i) => sum + ((value - reduced[i]!) / 65_535) ** 2, 0)
    expect(-10 * Math.log10(squares / full.length)).toBeGreaterThan(50)
    expect(squares).toBeGreaterThan(0)
  })
})
