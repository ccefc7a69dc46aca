import { expect, test } from 'vitest'
import { nearestName } from './unknownName.ts'

test.each([
  ['upscal', 'upscale'],
  ['Denoise', 'denoise'],
  ['denois', 'denoise'],
  ['defocus', 'defocus-deblur'],
  ['ratio', undefined],
  ['q', undefined],
  ['', undefined],
])('%s is nearest to %s', (name, nearest) => {
  const valid = ['photo', 'denoise', 'derain', 'upscale', 'defocus-deblur', 'rad']
  expect(nearestName(name, valid)).toBe(nearest === undefined ? '' : `; did you mean ${nearest}?`)
  expect(nearestName(name, [])).toBe('')
})
