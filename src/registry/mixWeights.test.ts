// Two files of one network mixed, in memory and by `--mix`.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { limpid } from '../../test/limpid.ts'
import { hashFile, readCheckpoint, writeSafetensors } from '../checkpoints/files.ts'
import { float32Data, viewAs } from '../core/data.ts'
import { Compact, compactDefaults } from '../models/compact/compact.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { createRestorer } from '../runtime/restorer.ts'
import { mixCheckpoints } from './mixWeights.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-mix-'))
const at = (name: string) => join(dir, name)
afterAll(() => rmSync(dir, { recursive: true }))

function save(name: string, seed: number, options: object = {}) {
  let count = seed
  const network = new Compact(
    randomInit(() => (++count * 0.618034) % 1),
    { ...compactDefaults, scale: 2, channels: 8, convolutions: 2, ...options },
  )
  writeSafetensors(at(name), new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
}
save('a.safetensors', 1)
save('b.safetensors', 2)
save('wide.safetensors', 3, { channels: 12 })
save('x4.safetensors', 3, { scale: 4 })

const values = (name: string) => {
  const found = readCheckpoint(at(name)).tensors
  return new Map([...found].map(([key, stored]) => [key, viewAs(stored.read(), Float32Array)]))
}

const photo = {
  width: 12,
  height: 9,
  channels: 3,
  data: Uint8Array.from({ length: 324 }, (_, i) => (37 * i) % 256),
} as const

test('a quarter of one file and three quarters of the other restore like that mixture, which results state', async () => {
  const [a, b] = [values('a.safetensors'), values('b.safetensors')]
  const mixed = [...a].map(([key, ours]) => {
    const { shape } = readCheckpoint(at('a.safetensors')).tensors.get(key) ?? expect.fail()
    return [
      key,
      float32Data(
        ours.map((value, i) => 0.75 * value + 0.25 * b.get(key)![i]!),
        shape,
      ),
    ] as const
  })
  writeSafetensors(at('mixed.safetensors'), new Map(mixed))
  const restored = async (weights: string, mix?: { readonly weights: string; readonly share: number }) => {
    await using restorer = await createRestorer({ weights: at(weights), mix, device: 'cpu', threads: 1 })
    return await restorer.run(photo)
  }
  const result = await restored('a.safetensors', { weights: at('b.safetensors'), share: 0.25 })
  const { info } = result
  expect(info).toMatchObject({
    sha256: hashFile(at('a.safetensors')),
    mix: { weights: 'b.safetensors', sha256: hashFile(at('b.safetensors')), share: 0.25 },
  })
  expect(result.raw().data).toEqual((await restored('mixed.safetensors')).raw().data)
  expect(result.raw().data).not.toEqual((await restored('a.safetensors')).raw().data)
})

test.each([
  ['wide.safetensors', 'to be compact with equal options and shapes, as .*, got channels 12 instead of 8'],
  ['x4.safetensors', 'got scale 4 instead of 2'],
  ['../../weights/light-photo.safetensors', 'to be weights of compact, as .*, got those of light'],
])('%s cannot be mixed', (name, message) => {
  const other = name.startsWith('..') ? name.replace('../../', '') : at(name)
  const mix = () => mixCheckpoints(readCheckpoint(at('a.safetensors')), readCheckpoint(other), 0.5)
  expect(mix).toThrow(new RegExp(message))
})

test('a network of fewer tensors under the same options cannot be mixed either', () => {
  const whole = readCheckpoint(at('a.safetensors'))
  const less = { ...whole, tensors: new Map([...whole.tensors].filter(([key]) => key !== 'body.3.weight')) }
  expect(() => mixCheckpoints(whole, less, 0.5)).toThrow('got no body.3.weight')
})

test.each([
  ['b.pth', 'expected a file and its share, such as other.pth=0.5, got b.pth'],
  ['b.pth=2', 'expected a number from 0 to 1, got 2'],
  ['b.pth=', 'expected a number from 0 to 1, got nothing'],
])('--mix %s says what it expects', async (text, message) => {
  const { code, stderr } = await limpid(
    'restore',
    'photo.png',
    '--weights',
    at('a.safetensors'),
    '--mix',
    text,
  )
  expect(code).toBe(2)
  expect(stderr).toContain(`--mix: ${message}`)
})
