import { expect, test } from 'vitest'
import { float32Data, type TensorData, viewAs } from '../../core/data.ts'
import { crop, type Image } from '../../data/image.ts'
import { encodePhoto } from './photoRepresentation.ts'

const photo = (height: number, width: number) => ({
  width,
  height,
  channels: 1,
  data: Float32Array.from({ length: height * width }, (_, i) => i % 17),
})

const picture = (image: Image) => ({
  ...image,
  read: (top: number, left: number, height: number, width: number) => crop(image, top, left, height, width),
})

const shapes: string[] = []

/** An encoder that ends with a mean over all pixels, like DASR's. */
async function meanOf({ shape, bytes }: TensorData): Promise<TensorData> {
  shapes.push(shape.join())
  const values = viewAs(bytes, Float32Array)
  return float32Data(Float32Array.of(values.reduce((a, b) => a + b, 0) / values.length), [1, 1])
}

test.each([
  [8, 8, ['1,1,8,8']],
  [16, 8, ['1,1,8,8', '1,1,8,8']],
  [20, 5, ['1,1,7,5', '1,1,7,5', '1,1,7,5']],
])('a photo of %d × %d is encoded in parts of one size that cover it', async (height, width, expected) => {
  shapes.length = 0
  const image = photo(height, width)
  const { shape, bytes } = await encodePhoto(picture(image), meanOf, { sidePx: 8 })
  expect(shapes).toEqual(expected)
  expect(shape).toEqual([1, 1])
  const mean = image.data.reduce((a, b) => a + b, 0) / image.data.length
  expect(viewAs(bytes, Float32Array)[0]).toBeCloseTo(mean, height === 20 ? 0 : 5)
})

test('a representation of another shape is rejected', async () => {
  const wrong = async () => float32Data(new Float32Array(4), [2, 2])
  await expect(encodePhoto(picture(photo(4, 4)), wrong)).rejects.toThrow(
    'representation: expected [1 d], got [2 2]',
  )
})
