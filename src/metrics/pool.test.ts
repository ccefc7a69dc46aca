import { Worker } from 'node:worker_threads'
import { expect, test, vi } from 'vitest'
import { metricPool } from './pool.ts'

const image = { width: 2, height: 2, channels: 1, data: new Float32Array(4) }

vi.mock('../data/ownPrograms.ts', () => ({
  startThread: () =>
    new Worker("require('node:worker_threads').parentPort.on('message', () => process.exit(3))", {
      eval: true,
    }),
}))

test('a thread that ends fails its pair, and the next one gets a new thread', async () => {
  const pool = metricPool(1)
  const measured = [1, 2].map(() => pool.compute(image, image, ['psnr'], { cropPx: 0 }))
  const results = await Promise.allSettled(measured)
  for (const result of results)
    expect(result).toMatchObject({
      status: 'rejected',
      reason: { code: 'crash', message: expect.stringContaining('exit code 3') },
    })
  await pool.close()
})
