import { expect, test } from 'vitest'
import { shapeOf } from '../../src/core/shapes.ts'
import { opCases } from '../ops.cases.ts'

const ops = Object.keys(shapeOf)

test('every op has a case', () => {
  const covered = new Set<string>(opCases.map(({ op }) => op))
  expect(ops.filter((op) => !covered.has(op))).toEqual([])
})

test('every op with float inputs has a case with a gradient', () => {
  const covered = new Set<string>(opCases.filter(({ cotangent }) => cotangent).map(({ op }) => op))
  expect(ops.filter((op) => !covered.has(op))).toEqual(['argmax', 'argsort'])
})

test('every op has a case with sizes known only at run time', () => {
  const covered = new Set<string>(opCases.filter(({ named }) => named).map(({ op }) => op))
  expect(ops.filter((op) => !covered.has(op))).toEqual([])
})

test('names of cases are unique', () => {
  expect(new Set(opCases.map(({ name }) => name)).size).toBe(opCases.length)
})
