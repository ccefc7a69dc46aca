// limpid degrade: damages images by a chain of degradations, to train or to test with.

import { mkdirSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { RestoreError } from '../core/errors.ts'
import { checkFormat, type DecodedImage, decodeImage, encodeImage } from '../data/codec.ts'
import type { Image } from '../data/image.ts'
import { imageExtensions, imagesBelow, isImageName } from '../data/sources/datasets.ts'
import { parseChain } from '../degrade/chain.ts'
import type { Degrade, NamedDegradation, Parameter } from '../degrade/degradation.ts'
import { degradations } from '../degrade/degradations.ts'
import { randomFor } from '../degrade/named.ts'
import { resizeTo } from '../degrade/resize.ts'
import { writeResult } from './result.ts'
import {
  checkOutput,
  countImages,
  type GlobalOptions,
  isFolder,
  parsePixelLimit,
  parseQuality,
  parseWhole,
  printResult,
  readInput,
  reporter,
} from './shell.ts'

export interface DegradeOptions extends GlobalOptions {
  readonly output?: string
  readonly with?: string
  readonly seed: string
  readonly format?: string
  readonly quality?: string
  readonly pixelLimit?: string
  readonly list?: boolean
  readonly overwrite?: boolean
}

/** An image and where its damaged copy goes. */
interface Task {
  readonly input: string
  /** Path within the folder given, or the file's own name: what chance goes by. */
  readonly name: string
  readonly output: string
  readonly format: string
}

export async function degradeCommand(inputs: readonly string[], options: DegradeOptions): Promise<void> {
  if (options.list) {
    printResult(options, { degradations: Object.values(table).map(facts) }, listing())
    return
  }
  if (inputs.length === 0) throw usage('INPUT', 'images or folders to degrade')
  const { output, with: spec } = options
  if (output === undefined) throw usage('--output', 'a file or folder to write to')
  if (spec === undefined) throw usage('--with', "degradations such as --with 'noise:sigma=25'")
  const degrade = parseChain(spec)
  const seed = parseWhole('--seed', options.seed, 0)
  const tasks = await plan(inputs, output, options)
  const limits = parsePixelLimit(options.pixelLimit)
  const quality = parseQuality(options.quality)
  const news = reporter(options)
  const count = countImages(news, 'degrading', tasks.length)
  const failed: { readonly input: string; readonly error: string }[] = []
  const written: { readonly input: string; readonly output: string }[] = []
  for (const task of tasks) {
    try {
      const { input, name, format } = task
      checkTarget(task.output, options)
      const decoded = await decodeImage(input === '-' ? readInput(input) : input, { ...limits, name: input })
      const damaged = { ...damage(decoded, degrade, seed, name), format }
      writeResult(task.output, await encodeImage(damaged, quality))
      written.push({ input, output: task.output })
    } catch (error) {
      if (!(error instanceof RestoreError)) throw error
      // A single image fails as its error does.
      if (tasks.length === 1) throw error
      failed.push({ input: task.input, error: error.message })
    }
    count()
  }
  news.done()
  for (const { error } of failed) process.stderr.write(`failed: ${error}\n`)
  if (failed.length > 0) {
    process.stderr.write(`${failed.length} of ${tasks.length} images failed\n`)
    process.exitCode = 1
  }
  if (output === '-' || (written.length === 0 && !options.json)) return
  printResult(options, { with: spec, seed, written, failed }, written.map((one) => one.output).join('\n'))
}

function damage(decoded: DecodedImage, degrade: Degrade, seed: number, name: string): DecodedImage {
  const image = degrade(decoded.image, randomFor(seed, name))
  return { ...decoded, image, alpha: decoded.alpha && fitAlpha(decoded.alpha, decoded.image, image) }
}

/** Opacity is not damaged, only resized where the image was. */
function fitAlpha(alpha: Float32Array, { width, height }: Image, to: Image): Float32Array {
  if (to.width === width && to.height === height) return alpha
  return resizeTo({ width, height, channels: 1, data: alpha }, to, { method: 'linear' }).data
}

/** What to write for every image: the tree of a folder is kept; two images never share a name. */
async function plan(
  inputs: readonly string[],
  output: string,
  { format }: DegradeOptions,
): Promise<readonly Task[]> {
  const [first = ''] = inputs
  if (inputs.length === 1 && !isFolder(first) && !isFolderName(output)) {
    const chosen = format ?? (output === '-' ? losslessOf(first) : extensionOf(output))
    checkFormat(chosen, false)
    return [{ input: first, name: first === '-' ? 'stdin' : basename(first), output, format: chosen }]
  }
  if (isImageName(output)) {
    throw new RestoreError('usage', `${output}: expected a folder for several images, got the name of one`)
  }
  if (format !== undefined) checkFormat(format, false)
  const owners = new Map<string, string>()
  const tasks: Task[] = []
  for (const input of inputs) {
    const names = isFolder(input) ? await imagesBelow(input) : [basename(input)]
    if (names.length === 0) {
      throw new RestoreError('input', `${input}: expected images (${imageExtensions.join(', ')}), found none`)
    }
    for (const name of names) {
      const file = isFolder(input) ? join(input, name) : input
      const chosen = format ?? losslessOf(name)
      const target = join(output, `${name.slice(0, name.length - extname(name).length)}.${chosen}`)
      const other = owners.get(target)
      if (other !== undefined) {
        throw new RestoreError(
          'usage',
          `${target}: both ${other} and ${file} would be written there; degrade them apart`,
        )
      }
      owners.set(target, file)
      tasks.push({ input: file, name, output: target, format: chosen })
    }
  }
  return tasks
}

function isFolderName(path: string): boolean {
  return path !== '-' && (path.endsWith('/') || isFolder(path) || extname(path) === '')
}

/** Makes the folder that a file goes to. */
function checkTarget(path: string, { overwrite }: DegradeOptions): void {
  if (path === '-') return
  try {
    mkdirSync(dirname(path), { recursive: true })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new RestoreError('output', `${path}: its folder cannot be made (${reason})`, { cause: error })
  }
  checkOutput(path, overwrite)
}

/** Formats without loss stay; any other would damage the image once more, so that it becomes PNG. */
function losslessOf(name: string): string {
  const extension = extensionOf(name)
  return extension.startsWith('tif') ? extension : 'png'
}

function extensionOf(path: string): string {
  return extname(path).slice(1).toLowerCase()
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
