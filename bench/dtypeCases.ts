// Cases of the benchmark dtype: networks in bfloat16 and float32, ours against OpenVINO with our exported graphs.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { readCheckpoint } from '../src/checkpoints/files.ts'
import { viewAs } from '../src/core/data.ts'
import { counterRandom } from '../src/core/random.ts'
import { packageFolder } from '../src/data/packageFiles.ts'
import { toOnnx } from '../src/onnx/compile.ts'
import { trace } from '../src/onnx/tracer.ts'
import { loadModel } from '../src/registry/loadModel.ts'
import { writeRestormer } from './restormerWeights.ts'

export interface DtypeCase {
  readonly title: string
  /** Arguments of both sides after the network: image, side in pixels, dtype. */
  readonly args: readonly [image: string, side: string, dtype: string]
  readonly weights: string
  readonly onnx: string
  /** Files for the outputs of the two sides. */
  readonly outputs: readonly [ours: string, reference: string]
}

const dtypes = ['bfloat16', 'float32'] as const
const sides = ['ours', 'reference'] as const
const networks = {
  'light-photo': 576,
  'light-upscale-x2': 256,
  'dasr-light-x2': 256,
  restormer: 256,
} as const

/** Writes networks, graphs and pictures to a folder. */
export async function writeDtypeCases(scratch: string): Promise<readonly DtypeCase[]> {
  const cases: DtypeCase[] = []
  for (const [name, side] of Object.entries(networks)) {
    const packaged = join(packageFolder(), 'weights', `${name}.safetensors`)
    const weights = name === 'restormer' ? writeRestormer(scratch) : packaged
    const onnx = join(scratch, `${name}.onnx`)
    const { forward } = loadModel(readCheckpoint(weights))
    writeFileSync(onnx, toOnnx(trace([{ name: 'x', shape: [1, 3, side, side] }], forward)))
    const image = await writePhoto(scratch, side)
    for (const dtype of dtypes)
      cases.push({
        title: `${name}, ${side} × ${side}, ${dtype}`,
        args: [image, String(side), dtype],
        weights,
        onnx,
        outputs: [outputOf(scratch, name, dtype, 'ours'), outputOf(scratch, name, dtype, 'reference')],
      })
  }
  return cases
}

/** PSNR in dB of each side's outputs in bfloat16 to its own in float32. */
export function bfloat16Closeness(scratch: string): Readonly<Record<string, number>> {
  const values = Object.keys(networks).flatMap((name) =>
    sides.map((side) => {
      const read = (dtype: (typeof dtypes)[number]) =>
        viewAs(readFileSync(outputOf(scratch, name, dtype, side)), Float32Array)
      const [reduced, full] = [read('bfloat16'), read('float32')]
      const squares = full.reduce((sum, value, i) => sum + (value - (reduced[i] ?? Number.NaN)) ** 2, 0)
      return [`${name} ${side} dB`, -10 * Math.log10(squares / full.length)]
    }),
  )
  return Object.fromEntries(values)
}

function outputOf(scratch: string, name: string, dtype: string, side: (typeof sides)[number]): string {
  return join(scratch, `${name}-${dtype}-${side}.f32`)
}

/** Writes a photo with noise of sigma 15 as planes in 0..1 and returns its path. */
async function writePhoto(scratch: string, side: number): Promise<string> {
  const photo = join(packageFolder(), 'docs', 'photos', 'lake.webp')
  const { data } = await sharp(photo)
    .removeAlpha()
    .resize(side, side, { fit: 'cover' })
    .raw()
    .toBuffer({ resolveWithObject: true })
  const plane = side * side
  const noise = new Float32Array(3 * plane)
  counterRandom(0).fillNormal(noise)
  const values = noise.map((value, i) => {
    const sample = data[3 * (i % plane) + Math.floor(i / plane)] ?? 0
    return (sample + 15 * value) / 255
  })
  const path = join(scratch, `photo-${side}.f32`)
  writeFileSync(path, values)
  return path
}
