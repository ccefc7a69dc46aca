// The first command of the README: restores the example with the weights in the package.

import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { decodeImage, restore } from '../src/index.ts'

test('the default model removes the noise that was added to the example', async () => {
  const path = fileURLToPath(new URL('../examples/noisy.jpg', import.meta.url))
  const result = await restore(path, { device: 'cpu' })
  const { data } = await result.raw()
  const { image } = await decodeImage(path)
  const plane = image.width * image.height
  let sum = 0
  let squares = 0
  for (let i = 0; i < image.data.length; i++) {
    const difference = 255 * image.data[(i % 3) * plane + Math.floor(i / 3)]! - data[i]!
    sum += difference
    squares += difference ** 2
  }
  expect(Math.abs(sum / data.length)).toBeLessThan(1)
  // The noise level is 25, reduced by clipping.
  expect(Math.sqrt(squares / data.length)).toBeGreaterThan(21)
  expect(Math.sqrt(squares / data.length)).toBeLessThan(26)
}, 120_000)
