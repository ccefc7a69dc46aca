// How tensors on the processor get their memory (native/src/memory.cc).

import { describe, expect, test } from 'vitest'
import { libtorchMissing } from '../../test/libtorch.ts'
import { scope } from './backend.ts'
import { RandomGenerator } from './rng.ts'

/** Fills a tensor of so many megabytes, and frees it. */
function fill(generator: RandomGenerator, megabytes: number): void {
  scope(() => {
    generator.randn([megabytes, 2 ** 18])
    return undefined
  })
}

describe.skipIf(libtorchMissing !== undefined)('memory of large tensors', () => {
  test('is not asked of the system again where it was freed before', () => {
    const generator = new RandomGenerator(0)
    const faults = () => process.resourceUsage().minorPageFault
    fill(generator, 48)
    const before = faults()
    for (let i = 0; i < 40; i++) fill(generator, i % 2 === 0 ? 48 : 46)
    // In pages of 2 MB, 40 times 48 MB would be 960 faults, in those of 4 KB some 490,000.
    expect(faults() - before).toBeLessThan(500)
  })

  test('that is cached is never more than was in use at a time', () => {
    const generator = new RandomGenerator(0)
    fill(generator, 1)
    const before = process.memoryUsage().rss
    for (let megabytes = 2; megabytes <= 60; megabytes += 3) fill(generator, megabytes)
    // All sizes together are 610 MB.
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(150)
  })
})
