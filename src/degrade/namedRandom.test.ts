import { expect, test } from 'vitest'
import { randomFor } from './namedRandom.ts'

const first = (seed: number, name: string) => randomFor(seed, name).uniform()

test('a stream depends on seed and path, but not on the extension', () => {
  expect(first(0, 'sub/a.png')).toBe(first(0, 'sub/a.jpg'))
  const others = [first(1, 'sub/a.png'), first(0, 'a.png'), first(0, 'sub/b.png'), first(0, 'sub.v2/a')]
  expect(new Set([first(0, 'sub/a.png'), ...others]).size).toBe(5)
})
