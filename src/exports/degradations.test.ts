import { expect, test } from 'vitest'
import * as exported from './degradations.ts'

test('every degradation of the table is exported as a function', () => {
  const functions = new Set<unknown>(Object.values(exported))
  const missing = Object.entries(exported.degradations).filter(
    ([, degradation]) => !functions.has(degradation),
  )
  expect(missing.map(([name]) => name)).toEqual([])
})
