// Checks of a step: right restorations pass, and every way to do harm is found and fades back.

import { describe, expect, test } from 'vitest'
import { counterRandom } from '../../core/random.ts'
import { type Image, in8Bits } from '../../data/image.ts'
import { blur, haze, jpeg, lowLight, noise, rain, sharpen, snow } from '../../degrade/degradationTable.ts'
import { deadLeaves } from '../../degrade/pictures/deadLeaves.ts'
import { gradients } from '../../degrade/pictures/gradients.ts'
import { resizeTo } from '../../degrade/resize.ts'
import { checkBlocks } from './checkBlocks.ts'
import { fadeBack } from './fadeBack.ts'
import { stepKindOf } from './limits.ts'

const size = { width: 192, height: 160 }
const truth = in8Bits(resizeTo(deadLeaves.draw({ width: 400, height: 320 }, counterRandom(6)), size))
const sky = gradients.draw(size, counterRandom(2))
const random = () => counterRandom(3)
const noisy = in8Bits(noise({ sigma: 20 })(truth, random()))

const mapped = (image: Image, change: (value: number, i: number) => number): Image => ({
  ...image,
  data: image.data.map(change),
})

describe('restorations to the truth pass', () => {
  test.each([
    ['of noise', noisy, 'cleans'],
    ['of JPEG', jpeg({ quality: 25 })(truth, random()), 'cleans'],
    ['of blur', in8Bits(blur({ kernel: 'disc', radius: 1.5 })(truth, random())), 'sharpens'],
    ['of rain', in8Bits(rain({ amount: 20, veil: 0.02, opacity: 0.5 })(truth, random())), 'clears'],
    [
      'of snow with its veil',
      in8Bits(snow({ amount: 140, opacity: 0.95, veil: 0.3 })(truth, random())),
      'clears',
    ],
    ['of haze', in8Bits(haze({ density: 1.2 })(truth, random())), 'tones'],
    ['of darkness', in8Bits(lowLight({ stops: 2, shot: 0, read: 0 })(truth, random())), 'tones'],
  ] as const)('%s', (_, before, kind) => {
    const report = checkBlocks(before, truth, kind)
    expect(report).toMatchObject({ isPassed: true })
  })

  test('of noise, whatever the strength', () => {
    const half = mapped(noisy, (value, i) => (value + truth.data[i]!) / 2)
    expect(checkBlocks(noisy, half, 'cleans', 0.5)).toEqual(checkBlocks(noisy, truth, 'cleans'))
  })

  test('of nothing', () => {
    expect(checkBlocks(truth, truth, 'cleans')).toMatchObject({ share: 0, counts: {}, isPassed: true })
  })
})

describe('harm is found', () => {
  const far = blur({ kernel: 'iso', sigma: 1.2 })
  test.each([
    ['detail that is smoothed away', truth, far(truth, random()), 'cleans', 'structure'],
    ['a color that shifts', truth, mapped(truth, (v, i) => (i < 30720 ? v + 0.04 : v)), 'cleans', 'color'],
    ['light that is added', truth, mapped(truth, (v) => Math.min(v + 0.06, 0.99)), 'clears', 'brightening'],
    ['light that clips', truth, mapped(truth, (v) => Math.min(1.5 * v, 1)), 'tones', 'clipping'],
    ['another picture', truth, mapped(sky, (v) => v), 'sharpens', 'likeness'],
    [
      'waves in a flat sky',
      mapped(sky, () => 0.5),
      mapped(sky, (_, i) => 0.5 + 0.03 * Math.sin((i % 192) / 9)),
      'sharpens',
      'halos',
    ],
    [
      'noise that is brought out',
      mapped(truth, () => 0.5),
      mapped(noisy, (v, i) => 0.5 + 2 * (v - truth.data[i]!)),
      'tones',
      'noise',
    ],
    [
      'values that are no numbers',
      truth,
      mapped(truth, (v, i) => (i === 777 ? Number.NaN : v)),
      'tones',
      'numbers',
    ],
  ] as const)('%s', (_, before, after, kind, name) => {
    const { counts, share } = checkBlocks(before, after, kind)
    expect(counts[name]).toBeGreaterThan(0)
    expect(share).toBeGreaterThan(0)
  })

  test('in a tall picture, where it is', () => {
    const tall = (image: Image): Image => {
      const data = new Float32Array(3 * 4 * size.height * size.width)
      for (let c = 0; c < 3; c++)
        for (let i = 0; i < 4; i++)
          data.set(image.data.subarray(c * 30720, (c + 1) * 30720), (4 * c + i) * 30720)
      return { ...image, height: 4 * size.height, data }
    }
    const shifted = mapped(tall(truth), (value, i) => (i % 122880 < 100000 ? value : value + 0.1))
    const { rows, columns, failed } = checkBlocks(tall(truth), shifted, 'cleans')
    const share = (row: number) => failed.subarray(row * columns, (row + 1) * columns).reduce((a, b) => a + b)
    expect([rows, columns]).toEqual([20, 6])
    expect(Array.from({ length: rows }, (_, row) => share(row))).toEqual([
      ...new Array<number>(16).fill(0),
      ...new Array<number>(4).fill(columns),
    ])
  })

  test('and fails a step if it is everywhere', () => {
    expect(checkBlocks(truth, far(truth, random()), 'cleans').isPassed).toBe(false)
    expect(checkBlocks(truth, sharpen({ amount: 4, sigma: 2 })(truth, random()), 'sharpens').isPassed).toBe(
      false,
    )
  })
})

describe('failed blocks', () => {
  test('fade back to the input, and the rest stays', () => {
    const spoiled = mapped(truth, (value, i) => {
      const [x, y] = [i % size.width, Math.floor(i / size.width) % size.height]
      return x < 32 && y < 32 ? Number.NaN : value
    })
    const report = checkBlocks(noisy, spoiled, 'cleans')
    const faded = mapped(spoiled, (value) => value)
    fadeBack(noisy, faded, report)
    const at = (image: Image, x: number, y: number) => image.data[y * size.width + x]
    expect(at(faded, 10, 10)).toBe(at(noisy, 10, 10))
    expect(at(faded, 31, 31)).toBe(at(noisy, 31, 31))
    expect(at(faded, 150, 120)).toBe(at(truth, 150, 120))
    expect(faded.data.every(Number.isFinite)).toBe(true)
    // Between them there is no seam: no step of the share that is kept.
    const kept = Array.from({ length: size.width }, (_, x) => {
      const [a, b, c] = [at(noisy, x, 5)!, at(truth, x, 5)!, at(faded, x, 5)!]
      return Math.abs(b - a) < 0.02 ? undefined : (c - a) / (b - a)
    }).filter((share) => share !== undefined)
    expect(Math.min(...kept)).toBeCloseTo(0)
    expect(Math.max(...kept)).toBeGreaterThan(0.97)
    expect(Math.max(...kept.slice(1).map((share, i) => share - kept[i]!))).toBeLessThan(0.4)
  })

  test('of none leave a result as it is', () => {
    const kept = mapped(truth, (value) => value)
    fadeBack(noisy, kept, checkBlocks(truth, truth, 'cleans'))
    expect(kept).toEqual(truth)
  })
})

test('tasks do what their names say', () => {
  expect(['photo', 'derain', 'deblur', 'low-light'].map((task) => stepKindOf(task as 'photo'))).toEqual([
    'cleans',
    'clears',
    'sharpens',
    'tones',
  ])
})
