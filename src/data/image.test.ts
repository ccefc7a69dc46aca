import { describe, expect, test } from 'vitest'
import { float32Data } from '../core/data.ts'
import { crop, type Image, imageToTensor, in8Bits, quantize, roundHalfEven, tensorToImage } from './image.ts'

const image = (width: number, height: number, channels: number): Image => {
  return {
    width,
    height,
    channels,
    data: Float32Array.from({ length: width * height * channels }, (_, i) => i),
  }
}

test('roundHalfEven rounds halves to the even neighbor', () => {
  expect([0.5, 1.5, 2.5, 3.49, 254.5, 254.51].map(roundHalfEven)).toEqual([0, 2, 2, 3, 254, 255])
})

test('in8Bits matches an 8-bit file, including values between levels and out of range', () => {
  const data = Float32Array.from([...Array.from({ length: 255 }, (_, k) => (k + 0.5) / 255), -0.1, 1.2])
  const image = { width: data.length, height: 1, channels: 1, data }
  const levels = quantize(image, 255, new Uint8Array(data.length))
  expect(in8Bits(image).data).toEqual(Float32Array.from(levels, (level) => level / 255))
})

describe('quantize', () => {
  test('clamps, rounds half to even and interleaves', () => {
    const data = Float32Array.of(-1, 0.5, 1, 2, 1 / 255, 0.1)
    const out = quantize({ width: 3, height: 1, channels: 2, data }, 255, new Uint8Array(6))
    expect([...out]).toEqual([0, 255, 128, 1, 255, 26])
  })

  test('multiplies in float32, as NumPy does with float32 arrays', () => {
    // numpy.round(numpy.float32(x) * numpy.float32(65535)); in float64 the products round to 43913, 53609 and
    // 47587.
    const data = Float32Array.of(0.6700618267059326, 0.8180285096168518, 0.7261234521865845)
    const out = quantize({ width: 3, height: 1, channels: 1, data }, 65535, new Uint16Array(3))
    expect([...out]).toEqual([43912, 53610, 47586])
  })

  test.each([255, 65535])('round-trips every integer from 0 to %i', (peak) => {
    const Samples = peak === 255 ? Uint8Array : Uint16Array
    const all = new Samples(peak + 1).map((_, i) => i)
    const data = Float32Array.from(all, (value) => value / peak)
    expect(quantize({ width: peak + 1, height: 1, channels: 1, data }, peak, new Samples(peak + 1))).toEqual(
      all,
    )
  })
})

test('crop copies the region from every channel', () => {
  const part = crop(image(4, 3, 2), 1, 2, 2, 2)
  expect([part.width, part.height, ...part.data]).toEqual([2, 2, 6, 7, 10, 11, 18, 19, 22, 23])
})

describe('images and tensors', () => {
  test('share memory', () => {
    const picture = image(2, 3, 3)
    const tensor = imageToTensor(picture)
    expect(tensor.shape).toEqual([1, 3, 3, 2])
    expect(tensorToImage(tensor)).toEqual(picture)
  })

  test('a tensor that is not an image is rejected', () => {
    expect(() => tensorToImage(float32Data(new Float32Array(6), [2, 3]))).toThrow(
      'image: expected float32 [1 c h w], got float32 [2 3]',
    )
  })
})
