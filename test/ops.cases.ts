// Cases of the op conformance suite, computed by PyTorch: golden/ops.safetensors, written by golden/ops.py.

import { readFileSync } from 'node:fs'
import { loadTensor, memorySource } from '../src/checkpoints/checkpoint.ts'
import { readSafetensors } from '../src/checkpoints/safetensors.ts'
import type { TensorData } from '../src/core/data.ts'
import type { Shape } from '../src/core/dims.ts'
import type { Op, OpAttrs } from '../src/core/ops.ts'

export interface OpCase<K extends Op = Op> {
  /** '<op>: <variant>'. */
  readonly name: string
  readonly op: K
  readonly attrs: OpAttrs[K]
  readonly inputs: readonly [TensorData, ...TensorData[]]
  readonly expected: TensorData
  /** With `gradients[i]` = d sum(output · cotangent) / d input i, undefined for integers. */
  readonly cotangent?: TensorData
  readonly gradients: readonly (TensorData | undefined)[]
  /** Indices of inputs that are constants in a network. */
  readonly weights: readonly number[]
  /** The case with sizes known only at run time. */
  readonly named?: { readonly shapes: readonly Shape[]; readonly attrs: OpAttrs[K] }
}

interface Entry extends Pick<OpCase, 'name' | 'op' | 'attrs' | 'weights' | 'named'> {
  readonly inputs: number
  readonly requiresGrad: readonly boolean[]
}

function read(): readonly OpCase[] {
  const folder = new URL('./golden/', import.meta.url)
  const { tensors } = readSafetensors(memorySource(readFileSync(new URL('ops.safetensors', folder))))
  const text = readFileSync(new URL('ops.json', folder), 'utf8')
  // JSON has no infinities; the script writes them as strings.
  const revive = (_: string, value: unknown) =>
    value === 'Infinity' || value === '-Infinity' ? Number(value) : value
  const { cases } = JSON.parse(text, revive) as { readonly cases: readonly Entry[] }
  const tensor = (key: string): TensorData => {
    const stored = tensors.get(key)
    if (!stored) throw new Error(`golden/ops.safetensors: no tensor ${key}`)
    return loadTensor(stored)
  }
  return cases.map(({ inputs, requiresGrad, ...rest }, number) => ({
    ...rest,
    inputs: [
      tensor(`${number}.in.0`),
      ...Array.from({ length: inputs - 1 }, (_, i) => tensor(`${number}.in.${i + 1}`)),
    ],
    expected: tensor(`${number}.out`),
    ...(requiresGrad.includes(true) ? { cotangent: tensor(`${number}.cot`) } : {}),
    gradients: requiresGrad.map((has, i) => (has ? tensor(`${number}.grad.${i}`) : undefined)),
  }))
}

export const opCases = read()
