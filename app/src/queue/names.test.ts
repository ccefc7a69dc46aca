import { expect, test } from 'vitest'
import { outputName, outputType, uniqueNames } from './names.ts'

test('a result keeps the name and, where it can be written, the format', () => {
  expect(outputName('a.b.jpeg', outputType('same', 'image/jpeg'))).toBe('a.b-restored.jpg')
  expect(outputName('IMG_1.HEIC', outputType('same', 'image/heic'))).toBe('IMG_1-restored.png')
  expect(outputType('webp', 'image/png')).toBe('image/webp')
})

test('names in a zip are unique on every file system', () => {
  const unique = uniqueNames()
  expect(['a.jpg', 'A.jpg', 'a.jpg', 'b', 'b', 'a (2).jpg'].map(unique)).toEqual([
    ...['a.jpg', 'A (2).jpg', 'a (3).jpg', 'b', 'b (2)', 'a (2) (2).jpg'],
  ])
})
