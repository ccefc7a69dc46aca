// limpid detect: which degradations photos have, and how likely.

import { messageOf, RestoreError } from '../core/errors.ts'
import { createDetector, type Finding } from '../runtime/detector.ts'
import { type InputFile, listInputs } from './inputs.ts'
import type { BackendOptions } from './networks/backends.ts'
import {
  countImages,
  type GlobalOptions,
  parsePixelLimit,
  parseWhole,
  printResult,
  readInput,
  reporter,
} from './shell.ts'

export interface DetectOptions extends GlobalOptions, BackendOptions {
  readonly model?: string
  readonly weights?: string
  readonly prompts?: string
  readonly top?: string
  readonly recursive?: boolean
  readonly pixelLimit?: string
}

interface Detected {
  readonly input: string
  /** The likeliest first. */
  readonly degradations: readonly Finding[]
}

interface Failure {
  readonly input: string
  readonly code: string
  readonly message: string
}

export async function detectCommand(given: readonly string[], options: DetectOptions): Promise<void> {
  const { files, isMany } = listInputs(given, options)
  const limits = parsePixelLimit(options.pixelLimit)
  const top = options.top === undefined ? Number.POSITIVE_INFINITY : parseWhole('--top', options.top, 1)
  const prompts = options.prompts?.split(',').map((prompt) => prompt.trim())
  const progress = reporter(options)
  await using detector = await createDetector({ ...options, prompts })
  for (const note of detector.notes) progress.show(note)
  progress.done()
  const count = countImages(progress, 'looked at', files.length)
  const look = async ({ path }: InputFile): Promise<Detected> => {
    const findings = await detector.run(path === '-' ? readInput(path) : path, { ...limits, name: path })
    return { input: path, degradations: findings.slice(0, top) }
  }
  const [found, failures] = await lookAtAll(files, look, count)
  progress.clear()
  if (failures[0] && !isMany) throw failures[0].error
  report(found, failures, { ...options, isMany })
}

async function lookAtAll(
  files: readonly InputFile[],
  look: (file: InputFile) => Promise<Detected>,
  count: () => void,
): Promise<[readonly Detected[], readonly (Failure & { readonly error: unknown })[]]> {
  const found: Detected[] = []
  const failures: (Failure & { readonly error: unknown })[] = []
  for (const file of files) {
    try {
      found.push(await look(file))
    } catch (error) {
      const code = error instanceof RestoreError ? error.code : 'crash'
      failures.push({ input: file.path, code, message: messageOf(error), error })
    }
    count()
  }
  return [found, failures]
}

function report(
  found: readonly Detected[],
  failures: readonly Failure[],
  options: DetectOptions & { readonly isMany: boolean },
): void {
  const told = failures.map(({ input, code, message }) => ({ input, code, message }))
  const text = found.map(({ input, degradations }) => {
    const lines = degradations.map(
      ({ degradation, probability }) => `${(100 * probability).toFixed(1).padStart(5)} %  ${degradation}`,
    )
    return (options.isMany ? [input, ...lines.map((line) => `  ${line}`)] : lines).join('\n')
  })
  if (found.length > 0 || options.json)
    printResult(options, { results: found, failures: told }, text.join('\n'))
  if (told.length === 0) return
  process.stderr.write(`${told.length} of ${found.length + told.length} pictures failed:\n`)
  for (const { message } of told) process.stderr.write(`  ${message}\n`)
  process.exitCode = 1
}
