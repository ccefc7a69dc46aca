// Compares every op on a backend with PyTorch's results. Skipped cases need a reason.

import { describe, expect, test } from 'vitest'
import { isFloat, type TensorData } from '../../src/core/data.ts'
import { dtypeOf } from '../../src/core/dtypes.ts'
import type { Op } from '../../src/core/ops.ts'
import { shapeOf } from '../../src/core/shapes.ts'
import { run, type Tensor } from '../../src/core/tensor.ts'
import { type OpCase, opCases } from '../ops.cases.ts'
import { difference, exact, type Tolerance } from '../values.ts'

interface ConformanceBackend {
  readonly name: string
  readonly tolerance: Tolerance
  run(testCase: OpCase): TensorData | Promise<TensorData>
  /** Gradients of sum(output · cotangent), if the backend has them. */
  gradients?(testCase: OpCase, cotangent: TensorData): readonly (TensorData | undefined)[]
}

interface Skip {
  readonly reason: string
  /** Names of cases. */
  readonly cases: readonly string[]
}

export interface RunOptions {
  readonly backend: ConformanceBackend
  readonly skip?: readonly Skip[]
  /** Cases to run; all by default. */
  readonly cases?: readonly OpCase[]
}

/** Tolerance of one rounding in a format narrower than float32: twice its unit roundoff. */
const roundings = { float16: 1e-3, bfloat16: 8e-3 } as const

function toleranceOf({ dtype }: TensorData, tolerance: Tolerance): Tolerance {
  if (dtype === 'float16' || dtype === 'bfloat16')
    return { absolute: roundings[dtype], relative: roundings[dtype] }
  return isFloat(dtype) ? tolerance : exact
}

/** Applies the op of a case to other tensors. */
export function applyOp<K extends Op>(
  { op, attrs }: Pick<OpCase<K>, 'op' | 'attrs'>,
  inputs: readonly Tensor[],
): Tensor {
  const [first, ...rest] = inputs
  if (!first) throw new Error(`${op}: a case has at least one input`)
  return run(op, [first, ...rest], attrs)
}

/** Defines one test per case. */
export function runCases({ backend, skip = [], cases = opCases }: RunOptions): void {
  const reasons = new Map(skip.flatMap(({ reason, cases }) => cases.map((name) => [name, reason] as const)))

  describe(backend.name, () => {
    test('skips only cases that exist', () => {
      const names = new Set(opCases.map(({ name }) => name))
      expect([...reasons.keys()].filter((name) => !names.has(name))).toEqual([])
    })
    for (const testCase of cases) {
      const reason = reasons.get(testCase.name)
      if (reason === undefined) test(testCase.name, () => check(backend, testCase))
      else test.skip(`${testCase.name} (${reason})`)
    }
  })
}

async function check(backend: ConformanceBackend, testCase: OpCase): Promise<void> {
  const { expected, cotangent, gradients } = testCase
  const output = await backend.run(testCase)
  expect(difference(output, expected, toleranceOf(expected, backend.tolerance))).toBeUndefined()
  expect(shapeByRule(testCase), 'shape rule').toEqual(output.shape)
  expect(dtypeByRule(testCase), 'dtype rule').toBe(output.dtype)
  if (!cotangent || !backend.gradients) return

  const found = backend.gradients(testCase, cotangent)
  for (const [i, gradient] of gradients.entries()) {
    if (!gradient) continue
    const actual = found[i]
    const problem = actual
      ? difference(actual, gradient, toleranceOf(gradient, backend.tolerance))
      : 'the backend returned none'
    expect(problem, `gradient of input ${i}`).toBeUndefined()
  }
}

function shapeByRule<K extends Op>({ op, attrs, inputs }: OpCase<K>): readonly unknown[] {
  return shapeOf[op](
    attrs,
    inputs.map(({ shape }) => shape),
  )
}

function dtypeByRule<K extends Op>({ op, attrs, inputs }: OpCase<K>): string {
  return dtypeOf(
    op,
    attrs,
    inputs.map(({ dtype }) => dtype),
  )
}
