// A page about all photos of a run: what changed first, then what failed, then what stayed, each with small
// pictures before and after. They lie in a folder beside the page, so that one about ten thousand photos opens at
// once.

import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path'
import { describeRepair } from '../../auto/repairInfo.ts'
import { messageOf } from '../../core/errors.ts'
import { escapeHtml } from '../../core/html.ts'
import { sharp } from '../../data/sharp.ts'
import type { CanvasPicture } from '../../runtime/pictures/pictureTypes.ts'
import type { Failure } from '../io/conclude.ts'
import { labelOf } from '../io/inputs.ts'
import { formatSeconds, plural, printNotes } from '../io/shell.ts'
import { type OverwriteOptions, writeResult } from '../io/writeResult.ts'
import type { Restored } from './restoreJobs.ts'

/** Thumbnails fit into this. */
const thumbnailPx = { width: 320, height: 240 } as const

interface Entry {
  readonly result: Restored
  readonly isChanged: boolean
  /** File names of the thumbnails: before, and after where the photo changed. */
  readonly thumbnails: readonly string[]
}

/** Folder of the pictures of a page. */
export function picturesOf(page: string): string {
  return join(dirname(page), `${basename(page, extname(page))}_pictures`)
}

/** Collects the photos of a run. */
export class FolderPage {
  readonly #path: string
  readonly #options: OverwriteOptions
  readonly #entries: Entry[] = []
  #pictures = 0

  constructor(path: string, options: OverwriteOptions) {
    this.#path = path
    this.#options = options
  }

  /** Adds a photo as it was and as it is; without its small pictures where they cannot be written. */
  async add(result: Restored, before: CanvasPicture, after: CanvasPicture): Promise<void> {
    const isChanged = result.repair === undefined || result.repair.done.length > 0
    const number = String(++this.#pictures).padStart(5, '0')
    const thumbnails: string[] = []
    this.#entries.push({ result, isChanged, thumbnails })
    try {
      for (const [end, picture] of [
        ['before', before] as const,
        ...(isChanged ? [['after', after] as const] : []),
      ]) {
        const name = `${number}_${end}.jpg`
        writeResult(join(picturesOf(this.#path), name), await thumbnail(picture), this.#options)
        thumbnails.push(name)
      }
    } catch (error) {
      // The photo itself is restored.
      printNotes(labelOf(jobOf({ result })), [`${this.#path} shows it without pictures: ${messageOf(error)}`])
    }
  }

  /** Writes the page. */
  write(failures: readonly Failure[]): void {
    const byInput = (a: Entry, b: Entry) =>
      labelOf(jobOf(a)).localeCompare(labelOf(jobOf(b)), 'en', { numeric: true })
    const entries = this.#entries.toSorted(byInput)
    const changed = entries.filter(({ isChanged }) => isChanged)
    const same = entries.filter(({ isChanged }) => !isChanged)
    const sections = [
      section(
        'Changed',
        changed.map((entry) => this.#article(entry)),
      ),
      section(
        'Failed',
        failures.map(({ message }) => `<p>${escapeHtml(message)}</p>`),
      ),
      section(
        'As they were',
        same.map((entry) => this.#article(entry)),
      ),
    ]
    const counts = `${plural(changed.length, 'photo')} changed, ${same.length} as they were, ${failures.length} failed`
    writeResult(this.#path, page(counts, sections.join('\n')), this.#options)
  }

  #article({ result, thumbnails }: Entry): string {
    const { page, input, output, compare, repair, model, seconds } = result
    const lines = repair ? describeRepair(repair) : [model]
    const links = [
      link(this.#url(output), basename(output)),
      ...(compare ? [link(this.#url(compare), 'compare')] : []),
    ]
    const pictures = thumbnails.map((name, i) => {
      const words = i === 0 ? 'before' : 'after'
      const source = escapeHtml(this.#url(join(picturesOf(this.#path), name)))
      return `<figure><img loading="lazy" src="${source}" alt="${words}"><figcaption>${words}</figcaption></figure>`
    })
    return `<article><div>${pictures.join('')}</div><div><h3>${escapeHtml(labelOf({ path: input, page }))}</h3>
<ul>${lines.map((line) => `<li>${escapeHtml(line)}`).join('')}</ul><p>${links.join(' · ')} · ${formatSeconds(seconds)}</p></div></article>`
  }

  /** Address of a file from the page. */
  #url(file: string): string {
    const path = relative(resolve(dirname(this.#path)), resolve(file))
    return path.split(sep).map(encodeURIComponent).join('/')
  }
}

function jobOf({ result: { input, page } }: Pick<Entry, 'result'>) {
  return { path: input, page }
}

async function thumbnail({ data, width, height }: CanvasPicture): Promise<Uint8Array> {
  const raster = sharp(data, { raw: { width, height, channels: 4 }, limitInputPixels: false })
  const small = raster.resize({ ...thumbnailPx, fit: 'inside', withoutEnlargement: true })
  return small.flatten({ background: '#888' }).jpeg({ quality: 80 }).toBuffer()
}

const link = (url: string, words: string) => `<a href="${escapeHtml(url)}">${escapeHtml(words)}</a>`

function section(title: string, items: readonly string[]): string {
  return items.length === 0
    ? ''
    : `<section><h2>${title}: ${items.length}</h2>\n${items.join('\n')}</section>`
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
  body { max-width: 1100px; margin: 2rem auto; padding: 0 1rem }
  h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem } h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere }
  article { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; padding: .8rem 0; border-top: 1px solid #8885;
    content-visibility: auto; contain-intrinsic-size: auto 280px }
  article > div:first-child { display: flex; gap: 6px } article > div:last-child { flex: 1 1 280px; min-width: 0 }
  figure { margin: 0 } img { display: block; max-width: min(320px, 42vw) } figcaption, p { color: #888; margin: .2em 0 }
  ul { margin: .3em 0; padding-left: 1.2em }
</style>
<h1>${escapeHtml(title)}</h1>
${body}
</html>
`
}
