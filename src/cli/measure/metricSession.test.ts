import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { hashFile, writeSafetensors } from '../../checkpoints/files.ts'
import { Lpips } from '../../models/metricNetworks/lpips.ts'
import { randomInit } from '../../nn/init.ts'
import { stateDict } from '../../nn/module.ts'
import { openMeasuring } from './metricSession.ts'

// The authors state hashes of their weights; those of this test have none.
vi.mock('../../registry/downloads.ts', async (original) => {
  const registry = await original<typeof import('../../registry/downloads.ts')>()
  const files = [{ name: 'heads.safetensors' }, { name: 'alexnet.safetensors' }]
  return {
    ...registry,
    downloads: registry.downloads.map((one) => (one.id === 'lpips' ? { ...one, files } : one)),
  }
})

const folder = mkdtempSync(join(tmpdir(), 'limpid-metric-weights-'))
afterEach(() => vi.unstubAllEnvs())
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('weights of LPIPS that were fetched are found, once they are complete and while they are sound', async () => {
  vi.stubEnv('LIMPID_MODELS', folder)
  const request = { names: ['psnr', 'lpips'], weights: undefined, pictures: 1 }
  const network = new Lpips(
    randomInit(() => 0.4),
    'alexnet',
  )
  const tensors = [...stateDict(network)].map(([key, tensor]) => [key, tensor.read()] as const)
  for (const [name, pattern] of [
    ['heads.safetensors', /^lin/],
    ['alexnet.safetensors', /^features/],
  ] as const) {
    const missing = openMeasuring(request)
    expect(missing.networks).toEqual({})
    await missing.close()
    const path = join(folder, name)
    writeSafetensors(path, new Map(tensors.filter(([key]) => pattern.test(key))))
    writeFileSync(`${path}.json`, JSON.stringify({ sha256: hashFile(path) }))
  }
  const measuring = openMeasuring(request)
  expect(Object.keys(measuring.networks ?? {})).toEqual(['lpips'])
  await measuring.close()
  appendFileSync(join(folder, 'heads.safetensors'), 'x')
  expect(() => openMeasuring(request)).toThrow('`limpid fetch lpips` fetches it again')
})
