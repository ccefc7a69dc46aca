// Files that must load and files that must be rejected, from the reference collection
// and from current PyTorch.

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { RestoreError } from '../core/errors.ts'
import { type Checkpoint, loadTensor } from './checkpoint.ts'
import { fromFloat32, toFloat32 } from './convert.ts'
import { readCheckpoint } from './files.ts'
import type { OpenOptions } from './open.ts'

interface Expectation {
  readonly expect: string
  readonly compare?: string
  readonly path?: readonly string[]
  readonly prefix?: string
  /** Other sets of tensors in the file. */
  readonly also?: object
}

type Expected = Record<'good' | 'malicious' | 'malformed', Record<string, Expectation>>

const golden = fileURLToPath(new URL('../../test/golden/containers', import.meta.url))
const shared = fileURLToPath(new URL('../../../shared/fixtures/containers', import.meta.url))
const bomb = '/tmp/pwned'
const maxMilliseconds = 2000
const maxExtraKilobytes = 300 * 1024

function readAll(checkpoint: Checkpoint): Map<string, string> {
  const all = new Map<string, string>()
  for (const [key, tensor] of checkpoint.tensors) {
    all.set(key, `${tensor.dtype} [${tensor.shape}] ${Buffer.from(tensor.read()).toString('hex')}`)
  }
  return all
}

/** The tensors of a file, rounded to `dtype` and back. */
function float32Of(
  checkpoint: Checkpoint,
  dtype: 'float32' | 'float16' | 'bfloat16' = 'float32',
): Map<string, number[]> {
  const all = new Map<string, number[]>()
  for (const [key, tensor] of checkpoint.tensors) {
    const values = toFloat32(loadTensor(tensor))
    const bytes = fromFloat32(values, dtype)
    all.set(key, [...tensor.shape, ...toFloat32({ dtype, shape: [values.length], bytes })])
  }
  return all
}

function checkGood(folder: string, compare: string, found: Checkpoint): void {
  if (compare.endsWith('.safetensors')) {
    expect(readAll(found)).toEqual(readAll(readCheckpoint(`${folder}/${compare}`)))
  } else if (compare.startsWith('reference')) {
    const dtype = compare.includes('bfloat16')
      ? 'bfloat16'
      : compare.includes('float16')
        ? 'float16'
        : 'float32'
    const reference = readCheckpoint(`${folder}/reference.weights.safetensors`)
    expect(float32Of(found)).toEqual(float32Of(reference, dtype))
  } else {
    const values = Object.fromEntries(
      [...found.tensors].map(([key, tensor]) => [key, [...toFloat32(loadTensor(tensor))]]),
    )
    const handmade: Record<string, object> = { w: { w: [0, 1, 2, 3] }, b: { b: [0, 1], a: [2, 3] } }
    expect(values).toEqual(handmade[compare[0]!])
  }
}

/** Opens and reads everything, within limits of time and memory. */
function openAll(file: string, options?: OpenOptions): Checkpoint {
  const start = process.cpuUsage()
  const memory = process.resourceUsage().maxRSS
  try {
    const checkpoint = readCheckpoint(file, options)
    for (const tensor of checkpoint.tensors.values()) tensor.read()
    return checkpoint
  } finally {
    const { user, system } = process.cpuUsage(start)
    expect((user + system) / 1000).toBeLessThan(maxMilliseconds)
    expect(process.resourceUsage().maxRSS - memory).toBeLessThan(maxExtraKilobytes)
    expect(existsSync(bomb)).toBe(false)
    expect(Object.keys(Object.prototype)).toEqual([])
  }
}

for (const folder of [golden, shared]) {
  const listed = `${folder}/expected.json`
  describe.skipIf(!existsSync(listed))(
    `checkpoints of ${folder === golden ? 'test/golden' : 'the fixtures'}`,
    () => {
      const expected: Partial<Expected> = existsSync(listed) ? JSON.parse(readFileSync(listed, 'utf8')) : {}

      it.each(Object.entries(expected.good ?? {}))('%s loads', (name, { compare, path, prefix, also }) => {
        // Where a file also holds averaged weights, the others are selected.
        const tensors = also ? path?.join('.') : undefined
        const found = openAll(`${folder}/good/${name}`, { tensors })
        expect([...found.path]).toEqual(path ?? [])
        expect(found.prefix).toBe(prefix ?? '')
        checkGood(folder, compare ?? '', found)
      })

      it.each(Object.keys(expected.malicious ?? {}))('%s is rejected and runs nothing', (name) => {
        expect(errorOf(() => openAll(`${folder}/malicious/${name}`))).toMatch(/is not allowed/)
      })

      it.each(Object.entries(expected.malformed ?? {}))(
        '%s is rejected, quickly and in little memory',
        (name) => {
          // This file is well-formed: a tensor called __proto__, which is an ordinary key here.
          if (name === 'proto_key.safetensors') {
            expect([...openAll(`${folder}/malformed/${name}`).tensors.keys()]).toEqual(['__proto__'])
          } else expect(errorOf(() => openAll(`${folder}/malformed/${name}`))).toContain(`${name}: `)
        },
      )
    },
  )
}

/** Message of the error that an action must throw. */
function errorOf(action: () => void): string {
  try {
    action()
  } catch (error) {
    if (error instanceof RestoreError) {
      expect(error.code).toBe('checkpoint')
      return error.message
    }
    throw error
  }
  throw new Error('expected an error')
}

describe('checkpoints of current PyTorch', () => {
  const made = `${golden}/made`
  const reference = readAll(readCheckpoint(`${made}/weights.safetensors`))

  it.each([
    ['same-training.ckpt', 'zip', ['state_dict'], 'module.'],
    ['same-training-legacy.ckpt', 'legacy', ['state_dict'], 'module.'],
    ['same-ema.pth', 'zip', ['params_ema'], ''],
    ['same-only-key.pth', 'zip', ['generator'], ''],
    ['same-compiled.pt', 'zip', ['model'], '_orig_mod.module.'],
    ['same-parameters.pth', 'zip', [], ''],
    ['same-script.pt', 'torchscript', [], ''],
    ['same-trace.pt', 'torchscript', [], ''],
  ])('%s has the weights that PyTorch saved', (name, container, path, prefix) => {
    const found = openAll(`${made}/${name}`)
    expect(found).toMatchObject({ container, path, prefix })
    expect(readAll(found)).toEqual(reference)
  })

  it('keeps the order of the keys', () => {
    const keys = [...readCheckpoint(`${made}/same-only-key.pth`).tensors.keys()]
    expect(keys.slice(0, 3)).toEqual(['scale', 'body.0.temperature', 'body.0.conv.weight'])
  })

  it('reads the weights that the caller selects', () => {
    const file = `${made}/two-networks.pth`
    expect(errorOf(() => readCheckpoint(file))).toMatch(
      /several sets of tensors, netG, netD; choose one with tensors \(--tensors\)/,
    )
    expect(readAll(readCheckpoint(file, { tensors: 'netG' }))).toEqual(reference)
    expect(readAll(readCheckpoint(file, { tensors: 'netD' }))).not.toEqual(reference)
    expect(errorOf(() => readCheckpoint(file, { tensors: 'netX' }))).toMatch(
      /key 'netX', found the keys netG, netD/,
    )
  })

  it('reads a part of a TorchScript module', () => {
    const part = readCheckpoint(`${made}/same-script.pt`, { tensors: 'body.0' })
    expect([...part.tensors.keys()]).toEqual(['temperature', 'conv.weight', 'conv.bias'])
  })

  it('reads dtypes without a storage class', () => {
    expect(readAll(openAll(`${made}/new-dtypes.pth`))).toEqual(
      readAll(openAll(`${made}/new-dtypes.safetensors`)),
    )
  })

  it('reads views of legacy storages', () => {
    const tensor = openAll(`${made}/legacy-view.pth`).tensors.get('w')!
    expect([...toFloat32(loadTensor(tensor))]).toEqual([2, 3, 4, 5])
  })

  it.each([
    ['frozen.pt', /a frozen TorchScript module has none/],
    ['whole-module.pth', /__main__\.Net is not allowed in a checkpoint/],
    ['complex.pth', /torch\.ComplexFloatStorage is not allowed/],
  ])('%s is rejected with the reason', (name, message) => {
    expect(errorOf(() => openAll(`${made}/${name}`))).toMatch(message)
  })
})
