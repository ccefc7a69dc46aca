// Our side of metrics: seconds for PSNR and SSIM on Y of every pair in a folder, on this thread or in a pool.
// usage: metrics THREADS FOLDER RESULT.f32 thread|pool

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Image } from '../../src/data/image.ts'
import { computeMetrics, evaluate, type Sample } from '../../src/metrics/evaluate.ts'
import { metricPool } from '../../src/metrics/pool.ts'
import { medianSeconds, report } from '../measure.ts'

const [, , threads, folder = '', result = '', mode] = process.argv
const sizes = JSON.parse(readFileSync(join(folder, 'pairs.json'), 'utf8')) as readonly {
  readonly height: number
  readonly width: number
}[]
const bytes = readFileSync(join(folder, 'pairs.u8'))
let offset = 0

function readImage({ height, width }: { readonly height: number; readonly width: number }): Image {
  const plane = height * width
  const data = new Float32Array(3 * plane)
  for (let i = 0; i < data.length; i++) data[(i % 3) * plane + Math.floor(i / 3)] = bytes[offset++]! / 255
  return { width, height, channels: 3, data }
}

const samples: Sample[] = sizes.map((size, i) => {
  const reference = readImage(size)
  return { name: String(i), reference, input: readImage(size) }
})
const names = ['psnr', 'ssim-y']
const pool = mode === 'pool' ? metricPool(Number(threads)) : undefined
const options = pool
  ? { compute: pool.compute, concurrency: 2 * pool.threads }
  : { compute: computeMetrics, concurrency: 1 }
const run = () => evaluate(samples, (input) => input, names, options)
const value = await medianSeconds(run, { warmups: 1, runs: 3 })
const { rows } = await run()
writeFileSync(result, Float32Array.from(rows.flatMap(({ values }) => names.map((name) => values[name]!))))
await pool?.close()
report({ value })
