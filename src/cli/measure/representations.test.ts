// `limpid representations` by its function: the page, the figures, and what it refuses.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { writePictures } from '../../../test/recipes/images.ts'
import { writeSafetensors } from '../../checkpoints/files.ts'
import { Dasr } from '../../models/dasr/dasr.ts'
import { Light, lightDefaults } from '../../models/light/light.ts'
import { randomInit } from '../../nn/init.ts'
import { stateDict } from '../../nn/module.ts'
import { representationsCommand } from './representations.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-representations-'))
const at = (name: string) => join(dir, name)

function write(name: string, network: object): void {
  writeSafetensors(at(name), new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
}

const options = {
  weights: at('dasr.safetensors'),
  data: at('images'),
  output: at('page.html'),
  images: 4,
  noise: [0, 20],
  quiet: true,
  json: true,
} as const

describe('representations', () => {
  beforeAll(async () => {
    let state = 1
    const random = randomInit(() => {
      state = (state * 48_271) % 2_147_483_647
      return state / 2_147_483_647
    })
    const size = { scale: 2, groups: 1, blocks: 1, channels: 8, reduction: 4, queueSize: 0 }
    write('dasr.safetensors', new Dasr(random, { ...size, encoderChannels: [8, 8, 12] }))
    write('light.safetensors', new Light(random, { ...lightDefaults, width: 4, middleBlocks: 1 }))
    await writePictures(at('images'), 4, { width: 200, height: 210 })
    await writePictures(at('few'), 3, { width: 200, height: 210 })
    await writePictures(at('small'), 4)
  })

  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  test('become a page of dots, and figures of what can be told from them', async () => {
    const print = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    await representationsCommand(options)
    const { dots: count, shares, r2 } = JSON.parse(String(print.mock.calls[0]?.[0]))
    print.mockRestore()
    expect(count).toBe(4 * 8 * 2)
    expect(shares[0]).toBeGreaterThanOrEqual(shares[1])
    expect(Object.keys(r2)).toEqual(['width', 'noise'])
    expect(r2.noise).toBeLessThanOrEqual(1)
    const page = readFileSync(at('page.html'), 'utf8')
    expect(page.match(/<title>\d\.png, width/g)).toHaveLength(64)
    expect(page).not.toMatch(/(src|href)=|NaN/)
  })

  test.each([
    [{ weights: at('light.safetensors') }, '--weights: expected a DASR, whose encoder is shown, got light'],
    [{ data: at('few') }, 'expected at least 4 images, got 3'],
    [{ data: at('small') }, 'expected sides of at least 192 px, got 32 × 40'],
  ])('are refused for %j', async (changed, message) => {
    const output = at('refused.html')
    await expect(representationsCommand({ ...options, output, ...changed })).rejects.toThrow(message)
    expect(existsSync(output)).toBe(false)
  })
})
