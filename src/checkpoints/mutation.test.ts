// Damaged files: whatever bytes are flipped, cut or inserted, a file either loads or is
// rejected with a checkpoint error.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { unzipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { buildZip } from '../../test/golden/containers/buildZip.ts'
import { RestoreError } from '../core/errors.ts'
import { memorySource } from './checkpoint.ts'
import { openCheckpoint } from './open.ts'

const golden = fileURLToPath(new URL('../../test/golden/containers', import.meta.url))
const rounds = 600

/** Mulberry32, a small seeded generator of numbers below `limit`. */
function generator(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}

function mutate(original: Uint8Array, random: (limit: number) => number): Uint8Array {
  const bytes = original.slice()
  const kind = random(8)
  if (kind === 0) return bytes.subarray(0, random(bytes.length))
  if (kind === 1) {
    const from = random(bytes.length)
    bytes.copyWithin(random(bytes.length), from, from + random(64))
  } else if (kind === 2) {
    const at = random(bytes.length)
    bytes.fill([0xff, 0x7f, 0x80, 0x00][random(4)]!, at, at + 1 + random(8))
  } else for (let flips = 1 + random(3); flips > 0; flips--) bytes[random(bytes.length)] = random(256)
  return bytes
}

/** Whether the file loads; any error other than a checkpoint error fails the test. */
function loads(bytes: Uint8Array): boolean {
  try {
    for (const tensor of openCheckpoint(memorySource(bytes, 'x')).tensors.values()) tensor.read()
    return true
  } catch (error) {
    if (error instanceof RestoreError && error.code === 'checkpoint') return false
    throw error
  }
}

const files = [
  'good/zip_misc_dtypes.pth',
  'good/legacy_misc_dtypes.pth',
  'good/mixed_dtypes.safetensors',
  'good/unpadded_header.safetensors',
  'made/same-training-legacy.ckpt',
  'made/same-script.pt',
  'made/new-dtypes.pth',
]

describe('damaged files', () => {
  it.each(files)('%s loads or is rejected, whatever is damaged', (name) => {
    const original = new Uint8Array(readFileSync(`${golden}/${name}`))
    const random = generator(name.length)
    expect(loads(original)).toBe(true)
    let rejected = 0
    for (let round = 0; round < rounds; round++) if (!loads(mutate(original, random))) rejected++
    expect(rejected).toBeGreaterThan(rounds / 10)
  })

  it.each(files.filter((name) => !/safetensors|legacy/.test(name)))(
    '%s loads or is rejected, whatever is damaged in a pickle with a valid checksum',
    (name) => {
      const records = Object.entries(unzipSync(readFileSync(`${golden}/${name}`)))
      const random = generator(name.length)
      let rejected = 0
      for (let round = 0; round < rounds; round++) {
        const changed = records.map(([key, bytes]) => ({
          name: key,
          bytes: key.endsWith('data.pkl') ? mutate(bytes, random) : bytes,
        }))
        if (!loads(buildZip(changed))) rejected++
      }
      expect(rejected).toBeGreaterThan(rounds / 10)
    },
  )
})
