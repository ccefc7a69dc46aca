// Pictures with what is said of them, as DA-CLIP is trained on: a tab-separated file (Algolzw/daclip-uir README), whose lines are
// the path of a degraded picture and `<caption>: <degradation>`, after a header.

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { clipTokenizer } from '../../data/clip/vocabulary.ts'
import type { SourceSpec } from '../../data/sources/datasets.ts'
import { unreadableFile } from '../../data/unreadable.ts'

export interface Captioned {
  /** As in the file: relative to its folder, or absolute. */
  readonly path: string
  readonly caption: string
  readonly degradation: string
  /** Of the file, from 1. */
  readonly line: number
}

const header = 'filepath\ttitle'

export function isCaptionFile(path: string): boolean {
  return /\.(csv|tsv)$/i.test(path)
}

/** The lines of a caption file. */
export function readCaptions(file: string): readonly Captioned[] {
  const lines = readText(file).split(/\r?\n/)
  const captioned = lines.flatMap((text, i): Captioned[] => {
    if (text.trim() === '' || (i === 0 && text === header)) return []
    return [parseLine(text, `${file}:${i + 1}`, i + 1)]
  })
  if (captioned.length > 0) return captioned
  throw new RestoreError('input', `${file}: expected lines of a path, a tab and a caption, found none`)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadableFile(file, error)
  }
}

function parseLine(text: string, where: string, line: number): Captioned {
  const [path = '', title, ...more] = text.split('\t')
  if (path === '' || title === undefined || more.length > 0) {
    throw new RestoreError('input', `${where}: expected a path, one tab and a title, got '${short(text)}'`)
  }
  // The last one, as a caption may hold others.
  const colon = title.lastIndexOf(': ')
  const [caption, degradation] = [title.slice(0, Math.max(colon, 0)).trim(), title.slice(colon + 2).trim()]
  if (colon < 0 || caption === '' || degradation === '') {
    throw new RestoreError(
      'input',
      `${where}: expected a title '<caption>: <degradation>', got '${short(title)}', without a separator ': ' between two texts`,
    )
  }
  return { path, caption, degradation, line }
}

function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

/** The pictures of a caption file; refuses captions that CLIP would cut. */
export function captionSpec(file: string): SourceSpec {
  const captions = readCaptions(file)
  const { isCut } = clipTokenizer().tokenize(captions.map(({ caption }) => caption))
  const first = captions[isCut.indexOf(true)]
  if (first) {
    const count = clipTokenizer().encode(first.caption).length
    throw new RestoreError(
      'input',
      `${file}:${first.line}: expected a caption of at most 75 tokens, got ${count}, of which CLIP would not see the end; shorten it`,
    )
  }
  return { kind: 'files', root: resolve(dirname(file)), names: captions.map(({ path }) => path) }
}
