import { expect, test } from 'vitest'
import { formatProgress, formatSeconds, plural } from './shell.ts'

test.each([
  [0.04, '0.0 s'],
  [59.94, '59.9 s'],
  [59.96, '1 min 00 s'],
  [119.7, '2 min 00 s'],
  [185, '3 min 05 s'],
])('%d seconds are shown as %s', (seconds, shown) => {
  expect(formatSeconds(seconds)).toBe(shown)
})

test('progress tells what is done and what is left', () => {
  expect(formatProgress(0, 4, performance.now())).toBe('0/4, 0.0 s')
  expect(formatProgress(1, 4, performance.now() - 10_000)).toBe('1/4, 10.0 s, 30.0 s left')
})

test.each([
  [0, '0 pictures'],
  [1, '1 picture'],
  [2, '2 pictures'],
])('%d is counted as %s', (count, words) => {
  expect(plural(count, 'picture')).toBe(words)
})
