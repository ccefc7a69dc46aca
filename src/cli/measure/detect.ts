// limpid detect: which degradations photos have, and how likely.

import { createDetector, type Finding } from '../../runtime/detector.ts'
import type { DetectOptions } from '../commands/measure.ts'
import { type InputFile, listInputs } from '../io/inputs.ts'
import { checkOutput } from '../io/outputPlan.ts'
import { countImages, type Failure, failureOf, printFailures, readInput, reporter } from '../io/shell.ts'
import { reportResult } from '../io/writeResult.ts'

interface Detected {
  readonly input: string
  /** The likeliest first. */
  readonly degradations: readonly Finding[]
}

export async function detectCommand(given: readonly string[], options: DetectOptions): Promise<void> {
  const { prompts, top = Number.POSITIVE_INFINITY, pixelLimit, report, overwrite } = options
  const { files, isMany } = listInputs(given, options)
  if (report !== undefined) checkOutput(report, overwrite)
  const limits = pixelLimit === undefined ? {} : { pixelLimit }
  const progress = reporter(options)
  await using detector = await createDetector({ ...options, prompts })
  for (const note of detector.notes) progress.show(note)
  progress.done()
  const count = countImages(progress, 'looked at', files.length)
  const look = async ({ path }: InputFile): Promise<Detected> => {
    const findings = await detector.run(path === '-' ? readInput(path) : path, { ...limits, name: path })
    return { input: path, degradations: findings.slice(0, top) }
  }
  const found: Detected[] = []
  const failed: { readonly failure: Failure; readonly error: unknown }[] = []
  for (const file of files) {
    try {
      found.push(await look(file))
    } catch (error) {
      failed.push({ failure: failureOf(error, file.path), error })
    }
    count()
  }
  progress.clear()
  if (failed[0] && !isMany) throw failed[0].error
  const failures = failed.map(({ failure }) => failure)
  reportResult(options, { results: found, failures }, textOf(found, isMany))
  printFailures(failures, files.length)
}

function textOf(found: readonly Detected[], isMany: boolean): string {
  const blocks = found.map(({ input, degradations }) => {
    const lines = degradations.map(
      ({ degradation, probability }) => `${(100 * probability).toFixed(1).padStart(5)} %  ${degradation}`,
    )
    return (isMany ? [input, ...lines.map((line) => `  ${line}`)] : lines).join('\n')
  })
  return blocks.join('\n')
}
