// Pages of documents and frames of animations, as inputs of their own.

import { basename, dirname, extname, join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { countPages } from '../../data/decode.ts'
import { type FailedInput, type InputFile, isStream } from './inputs.ts'

/** The number of a page, from 1, or all of them. */
export type WantedPages = number | 'all'

export interface PagedInputs {
  readonly files: readonly InputFile[]
  readonly failed: readonly FailedInput[]
}

/**
 * Replaces each file of several pages by the wanted ones, whose names tell the page. A file whose pages cannot be
 * counted has failed.
 *
 * @throws RestoreError `usage` for all pages of an input that can be read only once
 */
export async function pagesOf(
  files: readonly InputFile[],
  wanted: WantedPages | undefined,
): Promise<PagedInputs> {
  if (wanted === undefined) return { files, failed: [] }
  const paged: InputFile[] = []
  const failed: FailedInput[] = []
  for (const file of files) {
    try {
      paged.push(...(await pagesOfFile(file, wanted)))
    } catch (error) {
      if (error instanceof RestoreError && error.code === 'usage') throw error
      failed.push({ path: file.path, error })
    }
  }
  return { files: paged, failed }
}

async function pagesOfFile(file: InputFile, wanted: WantedPages): Promise<readonly InputFile[]> {
  const { path, name } = file
  if (isStream(path)) {
    if (wanted !== 'all') return [{ ...file, page: wanted }]
    throw new RestoreError(
      'usage',
      `--pages all: expected files, whose pages can be counted, got ${path}; give the number of a page`,
    )
  }
  const { pages } = await countPages(path)
  if (pages === 1 && (wanted === 'all' || wanted === 1)) return [file]
  const numbers = wanted === 'all' ? Array.from({ length: pages }, (_, i) => i + 1) : [wanted]
  const stem = join(dirname(name), basename(name, extname(name)))
  return numbers.map((page) => {
    const number = String(page).padStart(String(pages).length, '0')
    return { ...file, name: `${stem}_page-${number}${extname(name)}`, page }
  })
}
