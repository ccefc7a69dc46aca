// limpid degrade: damages images by a chain of degradations, to train or to test with.

import { sep } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import { checkBackground } from '../../data/colors/background.ts'
import { fromTones, toTones } from '../../data/colors/toneTables.ts'
import { type DecodedImage, decodeImage } from '../../data/decode.ts'
import { encodeImage, encodingNotes } from '../../data/encode.ts'
import type { Image } from '../../data/image.ts'
import { parseChain } from '../../degrade/chain.ts'
import type { Degrade, NamedDegradation, Parameter } from '../../degrade/defineDegradation.ts'
import { degradations } from '../../degrade/degradationTable.ts'
import { randomFor } from '../../degrade/namedRandom.ts'
import { resizeTo } from '../../degrade/resize.ts'
import type { DegradeOptions } from '../commands/measure.ts'
import { conclude } from '../io/conclude.ts'
import { type FailedInput, labelOf, listInputs } from '../io/inputs.ts'
import {
  checkDocument,
  checkOutput,
  extensionOf,
  planOutputs,
  refuseCollisions,
  refuseOnStdout,
  targetOf,
} from '../io/outputPlan.ts'
import { pagesOf } from '../io/pages.ts'
import { countImages, printNotes, printPaths, printResult, reporter } from '../io/shell.ts'
import { sourceOf } from '../io/source.ts'
import { writeResult } from '../io/writeResult.ts'

export async function degradeCommand(inputs: readonly string[], options: DegradeOptions): Promise<void> {
  if (options.list) {
    printResult(options, { degradations: Object.values(table).map(facts) }, listing())
    return
  }
  if (inputs.length === 0) throw usage('INPUT', 'images or folders to degrade')
  const { output, with: spec, seed, quality, background, pixelLimit, overwrite } = options
  if (output === undefined) throw usage('--output', 'a file or folder to write to')
  if (spec === undefined) throw usage('--with', "degradations such as 'noise:sigma=25'")
  if (background !== undefined) checkBackground(background, '--background')
  const degrade = parseChain(spec)
  const { jobs, failed: unlisted, isMany } = await plan(inputs, output, options)
  const limits = pixelLimit === undefined ? {} : { pixelLimit }
  const progress = reporter(options)
  const count = countImages(progress, 'degrading', jobs.length)
  const failed: FailedInput[] = [...unlisted]
  const results: { readonly input: string; readonly page?: number; readonly output: string }[] = []
  for (const job of jobs) {
    const { path, name, page, output: target, format } = job
    try {
      checkOutput(target, overwrite)
      const decoded = await decodeImage(await sourceOf(path), { ...limits, name: labelOf(job), page })
      // What chance goes by is the same on every system.
      const random = randomFor(seed, name.split(sep).join('/'))
      const damaged = { ...damage(decoded, degrade, random), format }
      progress.clear()
      printNotes(labelOf(job), [...(decoded.notes ?? []), ...encodingNotes(format, decoded)])
      writeResult(target, await encodeImage(damaged, { quality, background }), options)
      results.push({ input: path, ...(page === undefined ? {} : { page }), output: target })
    } catch (error) {
      failed.push({ path, page, error })
    }
    count()
  }
  progress.done()
  const isPiped = jobs.some((job) => job.output === '-')
  if (!isPiped && !options.json) printPaths(results.map((one) => one.output))
  const document = { with: spec, seed, results }
  conclude(options, { document, text: '', failed, total: results.length + failed.length, isMany })
}

function damage(decoded: DecodedImage, degrade: Degrade, random: Random): DecodedImage {
  const icc = decoded.metadata?.icc
  const image = fromTones(degrade(toTones(decoded.image, icc), random), icc)
  return { ...decoded, image, alpha: decoded.alpha && fitAlpha(decoded.alpha, decoded.image, image) }
}

/** Opacity is not damaged, only resized where the image was. */
function fitAlpha(alpha: Float32Array, { width, height }: Image, to: Image): Float32Array {
  if (to.width === width && to.height === height) return alpha
  return resizeTo({ width, height, channels: 1, data: alpha }, to, { method: 'linear' }).data
}

/** What to write for every image: the tree of a folder is kept; two images never share a name. */
async function plan(inputs: readonly string[], output: string, options: DegradeOptions) {
  const { recursive, report, overwrite } = options
  const listed = listInputs(inputs, { recursive, except: output })
  const { files, failed } = await pagesOf(listed.files, options.pages)
  const isMany = listed.isMany || files.length > 1
  const target = targetOf(output, { option: '--output', count: files.length, isMany })
  const jobs = planOutputs(files, target, { format: options.format, formatOf: losslessOf })
  refuseCollisions(jobs)
  if (report !== undefined) checkDocument(report, overwrite)
  refuseOnStdout(
    jobs.map((job) => job.output),
    options,
  )
  return { jobs, failed: [...listed.failed, ...failed], isMany }
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
