// All benchmarks: the unit, and the two processes to time against each other.

import { execFileSync } from 'node:child_process'
import { createReadStream, createWriteStream, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { RestoreError } from '../src/core/errors.ts'
import { isSource, packageFolder } from '../src/data/packageFiles.ts'
import { cacheFolder } from '../src/files/cacheFolder.ts'
import { availableCores } from '../src/files/cores.ts'
import { bfloat16Closeness, writeDtypeCases } from './dtypeCases.ts'
import { writeLoaderImages } from './loaderImages.ts'
import { writePairs } from './metricPairs.ts'
import type { PythonEnvironment } from './python.ts'
import { writeRestormer } from './restormerWeights.ts'

export interface Command {
  readonly program: string
  readonly args: readonly string[]
}

export interface Case {
  readonly title: string
  readonly ours: Command
  /** Command of the reference; if missing, our process reports both figures. */
  readonly reference?: Command
}

export interface BenchContext {
  /** Path of the Python interpreter. */
  readonly python: string
  readonly dtype: 'float32' | 'bfloat16'
  /** Empty folder for files of the two sides. */
  readonly scratch: string
}

export interface Benchmark {
  readonly unit: string
  /** Environment of a Python reference. */
  readonly python?: PythonEnvironment
  /** The first case determines the figures of the result. */
  readonly cases: (context: BenchContext) => Promise<readonly [Case, ...Case[]]>
  /** Additional figures, from the files that the sides wrote. */
  readonly findings?: (context: BenchContext) => Readonly<Record<string, number>>
}

const threads = String(availableCores())

function ours(side: string, ...args: string[]): Command {
  const file = isSource ? join('bench', 'sides', `${side}.ts`) : join('dist', 'bench', 'sides', `${side}.js`)
  return {
    program: process.execPath,
    args: [...process.execArgv, join(packageFolder(), file), threads, ...args],
  }
}

function reference({ python }: BenchContext, script: string, ...args: string[]): Command {
  return {
    program: python,
    args: [join(packageFolder(), 'bench', 'reference', `${script}.py`), threads, ...args],
  }
}

/** Path of PyTorch's export of Restormer, unpacked on first use. */
async function exportedRestormer(): Promise<string> {
  const name = 'restormer-256.torch-export.onnx'
  const packed = join(packageFolder(), '..', 'shared', 'bench', `${name}.gz`)
  const file = join(cacheFolder(), 'bench', name)
  if (existsSync(file)) return file
  if (!existsSync(packed)) {
    throw new RestoreError(
      'environment',
      `onnx-restormer: expected PyTorch's export at ${packed}, which does not exist; put it there`,
    )
  }
  mkdirSync(dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.tmp`
  await pipeline(createReadStream(packed), createGunzip(), createWriteStream(temporary))
  renameSync(temporary, file)
  return file
}

/** Files for the outputs of the two sides. */
function outputs({ scratch }: BenchContext): readonly [ours: string, reference: string] {
  return [join(scratch, 'ours.f32'), join(scratch, 'reference.f32')]
}

function readOutputs(context: BenchContext): readonly Float32Array[] {
  return outputs(context).map((file) => {
    const { buffer, byteOffset, byteLength } = readFileSync(file)
    return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength))
  })
}

function largestDifference(context: BenchContext): Readonly<Record<string, number>> {
  const [a, b] = readOutputs(context)
  let largest = a?.length === b?.length ? 0 : Number.NaN
  a?.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value - (b?.[i] ?? Number.NaN)))
  })
  return { max_difference: largest }
}

/** Largest relative difference of the losses. */
function lossDifference(context: BenchContext): Readonly<Record<string, number>> {
  const [mine = [], other = []] = readOutputs(context).map((losses) => [...losses])
  const relativeError = (loss: number, i: number) => Math.abs(loss / (other[i] ?? Number.NaN) - 1)
  return {
    max_difference: mine.length === other.length ? Math.max(...mine.map(relativeError)) : Number.NaN,
  }
}

/** Share of the training time that each side waits for data. */
function waitingShares({ scratch }: BenchContext): Readonly<Record<string, number>> {
  const share = (side: string) => Number(readFileSync(join(scratch, `step-${side}.txt`), 'utf8'))
  return { waiting_share: share('ours'), reference_waiting_share: share('reference') }
}

interface Comparison {
  readonly unit: string
  readonly side: string
  readonly script: string
  readonly python: PythonEnvironment
  readonly args?: readonly string[]
  readonly findings?: NonNullable<Benchmark['findings']>
}

/** Defines a benchmark of one case in float32 that compares the outputs of the sides. */
function comparison({
  unit,
  side,
  script,
  python,
  args = [],
  findings = largestDifference,
}: Comparison): Benchmark {
  return {
    unit,
    python,
    cases: async (context) => {
      const [mine, other] = outputs(context)
      return [
        {
          title: 'float32',
          ours: ours(side, mine, ...args),
          reference: reference(context, script, other, ...args),
        },
      ]
    },
    findings,
  }
}

/** Defines a benchmark of a training step that compares the losses of the sides. */
function training(name: string, batch: string): Benchmark {
  return comparison({
    unit: `s per step, ${batch}`,
    side: 'training/network',
    script: 'train',
    python: 'torch',
    args: [name],
    findings: lossDifference,
  })
}

/** Defines a benchmark of a network of the community against spandrel, with the same file of weights. */
function community(title: string, family: string): Benchmark {
  return {
    unit: 's per image of 256 × 256',
    python: 'spandrel',
    cases: async (context) => {
      const [mine, other] = outputs(context)
      const weights = join(context.scratch, `${family}.pth`)
      const { program, args } = reference(context, 'community', other, weights, family)
      execFileSync(program, [...args, 'write'], { stdio: ['ignore', 'ignore', 'inherit'] })
      return [{ title, ours: ours('onnxImage', mine, weights), reference: { program, args } }]
    },
    findings: largestDifference,
  }
}

export const benchmarks: Readonly<Record<string, Benchmark>> = {
  'op-overhead': {
    unit: 'µs per op',
    python: 'torch',
    cases: async (context) => [
      {
        title: 'with gradient',
        ours: ours('opOverhead', 'gradient'),
        reference: reference(context, 'op_overhead', 'gradient'),
      },
      {
        title: 'without gradient',
        ours: ours('opOverhead', 'plain'),
        reference: reference(context, 'op_overhead', 'plain'),
      },
    ],
  },
  'train-restormer': {
    unit: 's per step',
    python: 'torch',
    cases: async (context) => [
      {
        title: context.dtype,
        ours: ours('training/restormer', context.dtype),
        reference: reference(context, 'restormer', context.dtype),
      },
    ],
  },
  'train-ipt': training('ipt', 'batch 2 of 48 × 48'),
  'train-dasr': training('dasr', 'batch 4 of 48 × 48, ×4'),
  'train-irsde': training('irsde', 'batch 1 of 128 × 128'),
  'train-daclip': training('daclip', 'batch 8 of 224 × 224'),
  loader: {
    unit: 's per batch, one worker',
    python: 'torch',
    cases: async (context) => {
      const folder = await writeLoaderImages(context.scratch)
      const against = (title: string, crop: string, batch: string, mode: 'step' | 'alone') => {
        const args = [folder, crop, batch, mode] as const
        return {
          title,
          ours: ours('loader', ...args, join(context.scratch, `${mode}-ours.txt`)),
          reference: reference(context, 'loader', ...args, join(context.scratch, `${mode}-reference.txt`)),
        }
      }
      return [
        against('with a training step, 4 crops of 64 × 64', '64', '4', 'step'),
        against('alone, 8 crops of 128 × 128', '128', '8', 'alone'),
      ]
    },
    findings: waitingShares,
  },
  'train-memory': {
    unit: 'MiB after 1,500 steps (reference: after 500)',
    cases: async () => [{ title: 'resident memory', ours: ours('training/memory') }],
  },
  'onnx-restormer': {
    unit: 's per image',
    cases: async (context) => {
      const [mine, other] = outputs(context)
      return [
        {
          title: 'float32, 256×256',
          ours: ours('onnxImage', mine, writeRestormer(context.scratch)),
          reference: ours('onnxImage', other, await exportedRestormer()),
        },
      ]
    },
    findings: largestDifference,
  },
  metrics: {
    unit: 's for PSNR and SSIM (Y) of CBSD68 and Set5',
    python: 'scikit-image',
    cases: async (context) => {
      const { scratch } = context
      await writePairs(join(packageFolder(), '..', 'shared', 'data', 'test'), scratch)
      const [mine, other] = outputs(context)
      return [
        {
          title: 'one thread',
          ours: ours('metrics', scratch, mine, 'thread'),
          reference: reference(context, 'metrics', scratch, other),
        },
        {
          title: 'a thread for each core',
          ours: ours('metrics', scratch, mine, 'pool'),
          reference: reference(context, 'metrics', scratch, other),
        },
      ]
    },
    findings: largestDifference,
  },
  imresize: comparison({
    unit: 's for 3 × 3000 × 4000 values, bicubic × 1/4',
    side: 'imresize',
    script: 'imresize',
    python: 'scikit-image',
  }),
  blur: {
    unit: 's for 21 × 21 taps on 3 × 512 × 512 values',
    python: 'scikit-image',
    cases: async (context) => {
      const [mine, other] = outputs(context)
      const against = (shape: 'aniso' | 'iso', method: 'direct' | 'fft') => ({
        title: `${shape}, SciPy ${method}`,
        ours: ours('blur', shape, mine),
        reference: reference(context, 'blur', shape, method, other),
      })
      return [
        against('aniso', 'direct'),
        against('aniso', 'fft'),
        against('iso', 'direct'),
        against('iso', 'fft'),
      ]
    },
    findings: largestDifference,
  },
  ipt: comparison({
    unit: 's per image of 256 × 256, ×2, in windows at a stride of 12 pixels',
    side: 'ipt',
    script: 'ipt',
    python: 'torch',
    args: ['256'],
  }),
  dasr: comparison({
    unit: 's per image of 120 × 120, ×4',
    side: 'dasr',
    script: 'dasr',
    python: 'torch',
  }),
  'swinir-x4': community('SwinIR-M ×4', 'swinir'),
  'nafnet-32': community('NAFNet, width 32', 'nafnet'),
  scunet: community('SCUNet', 'scunet'),
  'span-x4': community('SPAN ×4', 'span'),
  'esrgan-x4': community('RRDBNet ×4', 'esrgan'),
  'compact-x4': community('Compact ×4', 'compact'),
  dtype: {
    unit: 's of one core per image',
    python: 'openvino',
    cases: async (context) => {
      const [first, ...others] = (await writeDtypeCases(context.scratch)).map(
        ({ title, weights, onnx, args, outputs: [mine, other] }): Case => ({
          title,
          ours: ours('dtype', mine, weights, ...args),
          reference: reference(context, 'openvino_image', other, onnx, ...args),
        }),
      )
      return [first as Case, ...others]
    },
    findings: ({ scratch }) => bfloat16Closeness(scratch),
  },
  'irsde-unet': comparison({
    unit: 's per call of the universal U-Net at 256×256',
    side: 'irsdeUnet',
    script: 'irsde_unet',
    python: 'torch',
  }),
  daclip: comparison({
    unit: 's per image through DA-CLIP ViT-B/32',
    side: 'daclip',
    script: 'daclip',
    python: 'torch',
  }),
}
