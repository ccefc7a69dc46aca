// Commands that look at pictures and write none: every input is looked at, what was found is printed, and those
// that fail are listed.

import type { ReadOptions } from '../../runtime/readInput.ts'
import { conclude, type ReportOptions } from './conclude.ts'
import { type FailedInput, labelOf, listInputs } from './inputs.ts'
import { checkDocument } from './outputPlan.ts'
import { pagesOf, type WantedPages } from './pages.ts'
import { countImages, reporter } from './shell.ts'
import { sourceOf } from './source.ts'

export interface LookOptions extends ReportOptions {
  readonly recursive?: boolean | undefined
  readonly pages?: WantedPages | undefined
  readonly pixelLimit?: number | undefined
}

/** How pictures are looked at. */
export interface Looking<Found extends object> extends AsyncDisposable {
  readonly notes: readonly string[]
  look(source: string | Uint8Array, reading: ReadOptions): Promise<Found>
  /** Lines of text. */
  describe(found: Found): readonly string[]
}

/** Looks at all inputs; what looks is opened once they are listed. */
export async function lookAtAll<Found extends object>(
  given: readonly string[],
  options: LookOptions,
  open: () => Promise<Looking<Found>>,
): Promise<void> {
  const { report, overwrite, pixelLimit } = options
  if (report !== undefined) checkDocument(report, overwrite)
  const listed = listInputs(given, options)
  const { files, failed: uncounted } = await pagesOf(listed.files, options.pages)
  const failed: FailedInput[] = [...listed.failed, ...uncounted]
  const total = files.length + failed.length
  const isMany = listed.isMany || files.length > 1
  const progress = reporter(options)
  await using looking = await open()
  for (const note of looking.notes) progress.show(note)
  progress.done()
  const count = countImages(progress, 'looked at', files.length)
  const results: (Found & { readonly input: string; readonly page?: number | undefined })[] = []
  for (const { path, page } of files) {
    try {
      const reading = { pixelLimit, page, name: labelOf({ path, page }) }
      results.push({ input: path, page, ...(await looking.look(await sourceOf(path), reading)) })
    } catch (error) {
      failed.push({ path, page, error })
    }
    count()
  }
  progress.clear()
  const blocks = results.map((found) => {
    const lines = looking.describe(found)
    const name = labelOf({ path: found.input, page: found.page })
    return (isMany ? [name, ...lines.map((line) => `  ${line}`)] : lines).join('\n')
  })
  conclude(options, { document: { results }, text: blocks.join('\n'), failed, total, isMany })
}
