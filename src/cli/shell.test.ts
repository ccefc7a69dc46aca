import { expect, test } from 'vitest'
import { formatProgress, formatSeconds, parseObject, parseWhole } from './shell.ts'

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

test.each(['1.5', 'x', '-8', '7'])('a whole number of at least 8 is not %s', (text) => {
  expect(() => parseWhole('--tile', text, 8)).toThrow(
    `--tile: expected a whole number of at least 8, got ${text}`,
  )
})

test.each(['[1]', '1', 'null', '{'])('a JSON object is not %s', (text) => {
  expect(() => parseObject('--options', text)).toThrow(`--options: expected a JSON object such as`)
})
