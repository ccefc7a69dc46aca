// Memory of CPU tensors (native/src/memory.cc).

import { describe, expect, test } from 'vitest'
import { libtorchMissing } from '../../test/libtorch.ts'
import { scope } from './backend.ts'
import { RandomGenerator } from './rng.ts'

/** Fills and frees a tensor of `megabytes` MB. */
function fill(generator: RandomGenerator, megabytes: number): void {
  scope(() => {
    generator.randn([megabytes, 2 ** 18])
    return undefined
  })
}

describe.skipIf(libtorchMissing !== undefined)('memory of large tensors', () => {
  test('is reused after it was freed', () => {
    const generator = new RandomGenerator(0)
    const faults = () => process.resourceUsage().minorPageFault
    fill(generator, 48)
    const before = faults()
    for (let i = 0; i < 40; i++) fill(generator, i % 2 === 0 ? 48 : 46)
    // With pages of 2 MB, 40 × 48 MB would be 960 faults; with pages of 4 KB, about 490,000.
    expect(faults() - before).toBeLessThan(500)
  })

  test('is cached up to the peak use only', () => {
    const generator = new RandomGenerator(0)
    fill(generator, 1)
    const before = process.memoryUsage().rss
    for (let megabytes = 2; megabytes <= 60; megabytes += 3) fill(generator, megabytes)
    // The sizes add up to 610 MB.
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(150)
  })
})
