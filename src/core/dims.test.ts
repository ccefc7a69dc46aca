import { describe, expect, test } from 'vitest'
import {
  divideDims,
  factorsOfDim,
  fixedDim,
  fixedShape,
  formatShape,
  multiplyDims,
  productOfDims,
  sameShape,
} from './dims.ts'

describe('products', () => {
  test('of numbers are numbers', () => {
    expect(multiplyDims(6, 7)).toBe(42)
    expect(productOfDims([2, 3, 4])).toBe(24)
    expect(productOfDims([])).toBe(1)
  })

  test('of names do not depend on the order of factors', () => {
    expect(multiplyDims('w', 'h')).toBe('h*w')
    expect(multiplyDims('h*w', 'b')).toBe(multiplyDims('b', multiplyDims('w', 'h')))
    expect(multiplyDims('h', 'h')).toBe('h*h')
  })

  test('of a name and a number put the number first', () => {
    expect(multiplyDims('h', 2)).toBe('2*h')
    expect(multiplyDims(3, '2*h')).toBe('6*h')
    expect(multiplyDims('h', 1)).toBe('h')
    expect(multiplyDims('h', 0)).toBe(0)
  })

  test('of fractions are reduced', () => {
    expect(multiplyDims('h/4', 2)).toBe('h/2')
    expect(multiplyDims('h/2', 2)).toBe('h')
    expect(multiplyDims('h/2', 'w/2')).toBe('h*w/4')
    expect(multiplyDims('3*h/2', 'w/6')).toBe('h*w/4')
    expect(productOfDims(['h/8', 8, 'w/8', 8])).toBe('h*w')
  })
})

describe('quotients', () => {
  test('of numbers are undefined unless they divide evenly', () => {
    expect(divideDims(12, 4)).toBe(3)
    expect(divideDims(12, 5)).toBeUndefined()
    expect(divideDims(12, 0)).toBeUndefined()
  })

  test('of a name by a number are exact', () => {
    expect(divideDims('h', 2)).toBe('h/2')
    expect(divideDims('6*h', 4)).toBe('3*h/2')
    expect(divideDims('h/2', 4)).toBe('h/8')
  })

  test('cancel names', () => {
    expect(divideDims('h*w', 'w')).toBe('h')
    expect(divideDims('h*w/4', 'h/2')).toBe('w/2')
    expect(divideDims('h*h', 'h')).toBe('h')
    expect(divideDims('4*h', 'h')).toBe(4)
    expect(divideDims('h', 'h')).toBe(1)
  })

  test('are undefined if a name is missing or a number does not divide evenly', () => {
    expect(divideDims('h', 'w')).toBeUndefined()
    expect(divideDims('h', 'h*h')).toBeUndefined()
    expect(divideDims(6, 'h')).toBeUndefined()
    expect(divideDims('h', '2*h')).toBeUndefined()
  })

  test('undo products', () => {
    for (const [a, b] of [
      ['h/2', 'w/4'],
      ['3*h', 5],
      ['b', 'h*w/64'],
      [12, 'n'],
    ] as const) {
      expect(divideDims(multiplyDims(a, b), b)).toBe(a)
    }
  })
})

test('a size is factored into numerator, denominator and names', () => {
  expect(factorsOfDim('3*h*w/64')).toEqual({ numerator: 3, denominator: 64, names: ['h', 'w'] })
  expect(factorsOfDim(7)).toEqual({ numerator: 7, denominator: 1, names: [] })
})

test('a missing fixed size is reported with the op and dimension', () => {
  expect(fixedDim('conv2d', 5)).toBe(5)
  expect(fixedShape('conv2d', [2, 3])).toEqual([2, 3])
  expect(() => fixedShape('pad', [1, 'h/2'])).toThrow(
    "pad: needs a fixed size, but 'h/2' is known only at run time; export with a size (HxW)",
  )
})

test('shapes are equal if every size is', () => {
  expect(sameShape([1, 'h'], [1, 'h'])).toBe(true)
  expect(sameShape([1, 'h'], [1, 'w'])).toBe(false)
  expect(sameShape([1], [1, 1])).toBe(false)
  expect(formatShape([1, 'h*w', 3])).toBe('[1 h*w 3]')
  expect(formatShape([])).toBe('[]')
})
