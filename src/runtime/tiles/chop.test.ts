import { expect, test } from 'vitest'
import { float32Data, type TensorData, viewAs } from '../../core/data.ts'
import type { Image } from '../../data/image.ts'
import { type ChopOptions, chop } from './chop.ts'

function picture(height: number, width: number): Image {
  const data = Float32Array.from({ length: 3 * height * width }, (_, i) => Math.sin(0.7 * i) + (i % 13))
  return { width, height, channels: 3, data }
}

/** Repeats every pixel of windows `scale` times along both axes. */
function enlarge({ shape, bytes }: TensorData, scale: number): TensorData {
  const [b = 1, c = 1, p = 1] = shape
  const side = p * scale
  const values = viewAs(bytes, Float32Array)
  const out = Float32Array.from({ length: b * c * side * side }, (_, i) => {
    const plane = Math.floor(i / side ** 2)
    const y = Math.floor(i / side) % side
    const x = i % side
    return values[(plane * p + Math.floor(y / scale)) * p + Math.floor(x / scale)]!
  })
  return float32Data(out, [b, c, side, side])
}

async function chopped(image: Image, options: Omit<ChopOptions, 'windowPx'>) {
  const shapes: string[] = []
  const run = async (windows: TensorData) => {
    shapes.push(windows.shape.join())
    return enlarge(windows, options.scale)
  }
  return { result: await chop(image, run, { windowPx: 12, ...options }), shapes }
}

const sizes = [
  [12, 12],
  [12, 40],
  [13, 12],
  [24, 27],
  [26, 31],
  [35, 14],
] as const

test.each(
  sizes.flatMap(([height, width]) => ([1, 2, 3, 4] as const).map((scale) => ({ height, width, scale }))),
)(
  'a network that repeats pixels gives the same in windows as on the whole picture: %j',
  async ({ height, width, scale }) => {
    const image = picture(height, width)
    const { result } = await chopped(image, { scale })
    const expected = viewAs(enlargeWhole(image, scale).bytes, Float32Array)
    expect([result.height, result.width]).toEqual([height * scale, width * scale])
    result.data.forEach((value, i) => {
      if (Math.abs(value - expected[i]!) > 1e-4)
        throw new Error(`at ${i}: expected ${expected[i]}, got ${value}`)
    })
  },
)

function enlargeWhole({ width, height, channels, data }: Image, scale: number): TensorData {
  const w = width * scale
  const h = height * scale
  const out = Float32Array.from({ length: channels * h * w }, (_, i) => {
    const c = Math.floor(i / (h * w))
    const y = Math.floor(i / w) % h
    const x = i % w
    return data[(c * height + Math.floor(y / scale)) * width + Math.floor(x / scale)]!
  })
  return float32Data(out, [channels, h, w])
}

test('a picture smaller than a window is reflected, and the result cropped', async () => {
  const image = picture(5, 1)
  let input: Float32Array | undefined
  const result = await chop(
    image,
    async (windows) => {
      input = viewAs(windows.bytes, Float32Array)
      return windows
    },
    { windowPx: 12, scale: 1 },
  )
  expect(result).toEqual(image)
  const rows = Array.from({ length: 12 }, (_, y) => input?.[12 * y])
  expect(rows).toEqual([0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3].map((y) => image.data[y]))
})

test('every window is computed once, in batches of one size', async () => {
  const { shapes } = await chopped(picture(48, 48), { scale: 1, batch: 8 })
  // 13 × 13 windows at stride 3, which include all strips: 34 runs of 5 waste one, 22 runs of 8 would waste
  // 7.
  expect(shapes).toEqual(new Array(34).fill('5,3,12,12'))
})

test('outputs of another size, or that are not finite, are rejected', async () => {
  const image = picture(12, 12)
  await expect(chop(image, async (x) => x, { windowPx: 12, scale: 2 })).rejects.toThrow(
    'chop: expected windows float32 [1 3 24 24], got float32 [1 3 12 12]',
  )
  const broken = async ({ shape }: TensorData) => float32Data(new Float32Array(432).fill(Number.NaN), shape)
  await expect(chop(image, broken, { windowPx: 12, scale: 1 })).rejects.toThrow('got NaN or infinity')
})

test('progress is reported in windows', async () => {
  const progress: number[] = []
  await chopped(picture(24, 24), {
    scale: 1,
    batch: 10,
    onWindow: (done, total) => progress.push(done, total),
  })
  expect(progress.at(-2)).toBe(25)
  expect(progress.at(-1)).toBe(25)
})
