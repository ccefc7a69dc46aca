import { expect, test } from 'vitest'
import { decodeBytes, decodeImage, imageSize } from '../decode.ts'

function pnm(head: string, samples: readonly number[] = []): Buffer {
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(samples)])
}

test.each<[string, Buffer, readonly number[]]>([
  ['P6 with comments', pnm('P6 # made by hand\n2\n# wide\n1 255\n', [1, 2, 3, 4, 5, 6]), [1, 2, 3, 4, 5, 6]],
  ['P5, 16 bits', pnm('P5 2 1 65535\n', [0x12, 0x34, 0xff, 0xff]), [0x1234, 65535]],
  ['P5, another maximum', pnm('P5 3 1 4\n', [0, 2, 4]), [0, 128, 255]],
  ['P4', pnm('P4 9 1\n', [0b10000000, 0b10000000]), [0, 255, 255, 255, 255, 255, 255, 255, 0]],
  ['P1', pnm('P1 3 1\n1 0# first\n1'), [0, 255, 0]],
  ['P1 without spaces', pnm('P1\n3 1\n101\n'), [0, 255, 0]],
  ['P2', pnm('P2 2 1 255\n7 200\n'), [7, 200]],
  ['P3 of 16 bits, without an end of line', pnm('P3 1 1 65535 1 2 65535'), [1, 2, 65535]],
])('PNM %s is decoded', async (_, file, samples) => {
  const { pixels, format } = await decodeBytes(file)
  expect([format, ...pixels.data]).toEqual(['pnm', ...samples])
  expect(await imageSize(file)).toEqual({ width: pixels.width, height: pixels.height, format: 'pnm' })
})

test.each([
  ['P6 2 2 255\n', 'a truncated file'],
  ['P4 9 1\n', 'a truncated file'],
  ['P2 9 9 255\n1 2', 'a truncated file'],
  ['P2 2 1 255\n1 x', 'a damaged PNM'],
  ['P6 2 x 255\n', 'a PNM with a damaged header'],
  ['P6 0 2 255\n', 'an image of 0 × 2 pixels'],
  ['P5 1 1 65536\n', 'a maximum sample of 65536'],
  ['P6 99999 99999 255\n', 'above the limit of 268 megapixels'],
])('PNM with the header %j is rejected', async (head, reason) => {
  await expect(decodeImage(pnm(head))).rejects.toThrow(reason)
})
