// Caption files, the training data of DA-CLIP: a tab-separated file (Algolzw/daclip-uir README) with a
// header, then lines of the path of a degraded image and `<caption>: <degradation>`.

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { clipTokenizer } from '../../data/clip/vocabulary.ts'
import { refusePipe } from '../../data/pipes.ts'
import type { SourceSpec } from '../../data/sources/datasets.ts'
import { unreadableFile } from '../../data/unreadable.ts'

export interface CaptionLine {
  /** Path as written in the file: relative to the file's folder, or absolute. */
  readonly path: string
  readonly caption: string
  readonly degradation: string
  /** Line number in the file, from 1. */
  readonly line: number
}

const header = 'filepath\ttitle'

export function isCaptionFile(path: string): boolean {
  return /\.(csv|tsv)$/i.test(path)
}

/**
 * Reads a caption file.
 *
 * @throws RestoreError `input` for a malformed line, by file and line number
 */
export function readCaptions(file: string): readonly CaptionLine[] {
  const lines = readText(file).split(/\r?\n/)
  const captions = lines.flatMap((text, i): CaptionLine[] => {
    if (text.trim() === '' || (i === 0 && text === header)) return []
    return [parseLine(text, `${file}:${i + 1}`, i + 1)]
  })
  if (captions.length > 0) return captions
  throw new RestoreError('input', `${file}: expected lines of a path, a tab and a caption, found none`)
}

function readText(file: string): string {
  refusePipe(file)
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadableFile(file, error)
  }
}

function parseLine(text: string, where: string, line: number): CaptionLine {
  const [path = '', title, ...more] = text.split('\t')
  if (path === '' || title === undefined || more.length > 0) {
    throw new RestoreError(
      'input',
      `${where}: expected a path, one tab and a title, got '${truncated(text)}'`,
    )
  }
  // A caption may itself contain ': ', so the last one separates.
  const colon = title.lastIndexOf(': ')
  const caption = title.slice(0, Math.max(colon, 0)).trim()
  const degradation = title.slice(colon + 2).trim()
  if (colon < 0 || caption === '' || degradation === '') {
    throw new RestoreError(
      'input',
      `${where}: expected a title '<caption>: <degradation>', got '${truncated(title)}', without a separator ': ' between two texts`,
    )
  }
  return { path, caption, degradation, line }
}

function truncated(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

/**
 * Lists the images of a caption file.
 *
 * @throws RestoreError `input` for a caption longer than CLIP's context
 */
export function captionSpec(file: string): SourceSpec {
  const captions = readCaptions(file)
  const { isCut } = clipTokenizer().tokenize(captions.map(({ caption }) => caption))
  const firstCut = captions[isCut.indexOf(true)]
  if (firstCut) {
    const count = clipTokenizer().encode(firstCut.caption).length
    throw new RestoreError(
      'input',
      `${file}:${firstCut.line}: expected a caption of at most 75 tokens, got ${count}, which CLIP would truncate; shorten it`,
    )
  }
  return { kind: 'files', root: resolve(dirname(file)), names: captions.map(({ path }) => path) }
}
