// A file with several sets of weights, in the commands and in the library.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { limpid } from '../../../test/limpid.ts'
import { readCheckpoint, writeSafetensors } from '../../checkpoints/files.ts'
import type { TensorData } from '../../core/data.ts'
import { Light, lightDefaults } from '../../models/light/light.ts'
import { randomInit } from '../../nn/init.ts'
import { stateDict } from '../../nn/module.ts'
import { restore } from '../../runtime/restore.ts'
import { createRestorer } from '../../runtime/restorer.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-tensors-'))
const at = (name: string) => join(dir, name)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function weightsOf(seed: number): ReadonlyMap<string, TensorData> {
  let count = seed
  const options = { ...lightDefaults, width: 8, middleBlocks: 1 }
  const network = new Light(
    randomInit(() => (++count * 0.618034) % 1),
    options,
  )
  return new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()]))
}

const sets = { generator: weightsOf(1), generator_ema: weightsOf(2), discriminator: weightsOf(3) }
const entries = Object.entries(sets).flatMap(([name, weights]) =>
  [...weights].map(([key, tensor]) => [`${name}.${key}`, tensor] as const),
)
writeSafetensors(at('gan.safetensors'), new Map(entries))
const note = 'gan.safetensors: uses the tensors under generator_ema, not those under discriminator, generator'

function valuesOf(file: string): ReadonlyMap<string, Uint8Array> {
  return new Map([...readCheckpoint(file).tensors].map(([key, stored]) => [key, stored.read()]))
}

test('convert writes the averaged set and says so; inspect lists the others; --tensors selects one', async () => {
  const [convert, select, inspect] = await Promise.all([
    limpid('convert', at('gan.safetensors'), at('ema.safetensors')),
    limpid('convert', at('gan.safetensors'), at('g.safetensors'), '--tensors', 'generator'),
    limpid('inspect', at('gan.safetensors'), '--json'),
  ])
  expect(convert).toMatchObject({ code: 0, stderr: expect.stringContaining(note) })
  expect(select).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(inspect.stdout)).toMatchObject({
    prefix: 'generator_ema.',
    others: ['discriminator', 'generator'],
    model: 'light',
  })
  const expected = (name: keyof typeof sets) =>
    new Map([...sets[name]].map(([key, { bytes }]) => [key, Buffer.from(bytes)]))
  const found = (name: string) =>
    new Map([...valuesOf(at(name))].map(([key, bytes]) => [key, Buffer.from(bytes)]))
  expect(found('ema.safetensors')).toEqual(expected('generator_ema'))
  expect(found('g.safetensors')).toEqual(expected('generator'))
})

test('the library runs the selected set, and notes which it chose', async () => {
  const picture = { data: new Uint8Array(192).fill(90), width: 8, height: 8, channels: 3 } as const
  writeSafetensors(at('only.safetensors'), sets.generator)
  const run = async (file: string, tensors?: string) => {
    await using restorer = await createRestorer({ weights: at(file), tensors, device: 'cpu', threads: 1 })
    return { notes: restorer.notes, data: (await restorer.run(picture)).raw().data }
  }
  const [only, chosen, selected] = [
    await run('only.safetensors'),
    await run('gan.safetensors'),
    await run('gan.safetensors', 'generator'),
  ]
  expect(chosen.notes).toEqual([expect.stringContaining(note)])
  expect(chosen.data).not.toEqual(only.data)
  expect(selected).toEqual({ notes: [], data: only.data })
  const { info } = await restore(picture, { weights: at('gan.safetensors'), device: 'cpu' })
  expect(info.notes).toEqual(chosen.notes)
  await expect(createRestorer({ tensors: 'generator' })).rejects.toThrow(
    'tensors: expected weights, a file with several sets of tensors, got none for generator',
  )
})
