// limpid degrade: damages images by a chain of degradations, to train or to test with.

import { sep } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import { type DecodedImage, decodeImage, encodeImage } from '../../data/codec.ts'
import type { Image } from '../../data/image.ts'
import { parseChain } from '../../degrade/chain.ts'
import type { Degrade, NamedDegradation, Parameter } from '../../degrade/defineDegradation.ts'
import { degradations } from '../../degrade/degradationTable.ts'
import { randomFor } from '../../degrade/namedRandom.ts'
import { resizeTo } from '../../degrade/resize.ts'
import type { DegradeOptions } from '../commands/measure.ts'
import { listInputs } from '../io/inputs.ts'
import {
  checkOutput,
  extensionOf,
  type Job,
  planOutputs,
  refuseCollisions,
  refuseOnStdout,
  targetOf,
} from '../io/outputPlan.ts'
import {
  countImages,
  type Failure,
  failureOf,
  printFailures,
  printResult,
  readInput,
  reporter,
} from '../io/shell.ts'
import { reportResult, writeResult } from '../io/writeResult.ts'

export async function degradeCommand(inputs: readonly string[], options: DegradeOptions): Promise<void> {
  if (options.list) {
    printResult(options, { degradations: Object.values(table).map(facts) }, listing())
    return
  }
  if (inputs.length === 0) throw usage('INPUT', 'images or folders to degrade')
  const { output, with: spec, seed, quality, pixelLimit, report, overwrite } = options
  if (output === undefined) throw usage('--output', 'a file or folder to write to')
  if (spec === undefined) throw usage('--with', "degradations such as --with 'noise:sigma=25'")
  const degrade = parseChain(spec)
  const jobs = plan(inputs, output, options)
  if (report !== undefined) checkOutput(report, overwrite)
  const limits = pixelLimit === undefined ? {} : { pixelLimit }
  const progress = reporter(options)
  const count = countImages(progress, 'degrading', jobs.length)
  const failures: Failure[] = []
  const results: { readonly input: string; readonly output: string }[] = []
  for (const { path, name, output: target, format } of jobs) {
    try {
      checkOutput(target, overwrite)
      const decoded = await decodeImage(path === '-' ? readInput(path) : path, { ...limits, name: path })
      // What chance goes by is the same on every system.
      const random = randomFor(seed, name.split(sep).join('/'))
      const damaged = { ...damage(decoded, degrade, random), format }
      writeResult(target, await encodeImage(damaged, quality === undefined ? {} : { quality }), options)
      results.push({ input: path, output: target })
    } catch (error) {
      if (!(error instanceof RestoreError)) throw error
      // A single image fails as its error does.
      if (jobs.length === 1) throw error
      failures.push(failureOf(error, path))
    }
    count()
  }
  progress.done()
  const isPiped = jobs.some((job) => job.output === '-')
  const text = isPiped ? '' : results.map((one) => one.output).join('\n')
  reportResult(options, { with: spec, seed, results, failures }, text)
  printFailures(failures, jobs.length)
}

function damage(decoded: DecodedImage, degrade: Degrade, random: Random): DecodedImage {
  const image = degrade(decoded.image, random)
  return { ...decoded, image, alpha: decoded.alpha && fitAlpha(decoded.alpha, decoded.image, image) }
}

/** Opacity is not damaged, only resized where the image was. */
function fitAlpha(alpha: Float32Array, { width, height }: Image, to: Image): Float32Array {
  if (to.width === width && to.height === height) return alpha
  return resizeTo({ width, height, channels: 1, data: alpha }, to, { method: 'linear' }).data
}

/** What to write for every image: the tree of a folder is kept; two images never share a name. */
function plan(inputs: readonly string[], output: string, options: DegradeOptions): readonly Job[] {
  const { files, isMany } = listInputs(inputs, { recursive: true, except: output })
  const target = targetOf(output, { option: '--output', count: files.length, isMany })
  const jobs = planOutputs(files, target, { format: options.format, formatOf: losslessOf })
  refuseCollisions(jobs)
  refuseOnStdout(
    jobs.map((job) => job.output),
    options,
  )
  return jobs
}

/** Formats without loss stay; any other would damage the image once more, so that it becomes PNG. */
function losslessOf(name: string): string {
  const extension = extensionOf(name)
  return extension.startsWith('tif') ? extension : 'png'
}

function usage(where: string, expected: string): RestoreError {
  return new RestoreError('usage', `degrade: expected ${expected} (${where}), got none`)
}

const table: Readonly<Record<string, NamedDegradation>> = degradations

function facts({ name, summary, source, parameters }: NamedDegradation): object {
  return { name, summary, source, parameters }
}

/** Every degradation with its parameters, as text. */
function listing(): string {
  const blocks = Object.values(table).map(({ name, summary, parameters }) => {
    const entries = Object.entries(parameters)
    const width = Math.max(0, ...entries.map(([key]) => key.length))
    return [
      `${name}: ${summary}`,
      ...entries.map(([key, parameter]) => `  ${key.padEnd(width)}  ${describe(parameter)}`),
    ].join('\n')
  })
  const how =
    "A chain names them in order: --with 'blur:sigma=1..3 resize:scale=0.5 noise:sigma=0..50 jpeg:quality=40'; LOW..HIGH is drawn for each image."
  return [...blocks, how].join('\n\n')
}

function describe(parameter: Parameter): string {
  if (parameter.type === 'choice') {
    return `${parameter.summary}: ${parameter.choices.join(' | ')} (${parameter.default})`
  }
  const { summary, unit, minimum, maximum } = parameter
  const round = (value: number) => Number(value.toPrecision(4))
  const usual = [parameter.default].flat().map(round).join('..')
  return `${summary}: ${round(minimum)} to ${round(maximum)}${unit === '' ? '' : ` ${unit}`} (${usual})`
}
