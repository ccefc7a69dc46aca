// HTML report of an evaluation: one self-contained file, with images as data URLs.

import { escapeHtml } from '../../core/html.ts'
import { factsOf, type Row } from '../evaluate.ts'

/** A case to inspect: crops of one region. */
export interface ReportCase {
  readonly name: string
  /** Metric values of the whole image. */
  readonly values: Readonly<Record<string, number>>
  /** Where the crops were taken. */
  readonly place: string
  /** Input, output, ground truth and difference map, with captions. */
  readonly pictures: readonly { readonly caption: string; readonly url: string }[]
}

/** Results of one degradation, a column of the published table. */
export interface ReportBlock {
  readonly name: string
  readonly rows: readonly Row[]
  readonly mean: Readonly<Record<string, number>>
  readonly deviation: Readonly<Record<string, number>>
  readonly worst: readonly ReportCase[]
}

export interface Report {
  readonly title: string
  /** What was measured and how, by label. */
  readonly facts: Readonly<Record<string, string>>
  readonly conventions: Readonly<Record<string, string>>
  readonly blocks: readonly ReportBlock[]
}

const style = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1100px;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1.2rem 0 .3rem}
table{border-collapse:collapse}th,td{padding:.15rem .8rem .15rem 0;text-align:right;font-variant-numeric:tabular-nums}th:first-child,td:first-child{text-align:left}
tr+tr>*{border-top:1px solid #8884}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dt{color:#666}dd{margin:0;overflow-wrap:anywhere}
.case{display:flex;flex-wrap:wrap;gap:6px;margin:0}figure{margin:0;flex:1 1 200px;max-width:264px}img{width:100%;display:block;image-rendering:pixelated}
figcaption,.figures{color:#666}.failed{color:#b3261e}.scroll{overflow-x:auto}@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}dt,figcaption,.figures{color:#aaa}.failed{color:#f2b8b5}}`

/** Renders the page; all text in the report is escaped. */
export function reportHtml({ title, facts, conventions, blocks }: Report): string {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${style}</style>
<h1>${escapeHtml(title)}</h1>
${list(facts)}
<h2>Means and standard deviations</h2>
${summary(blocks, Object.keys(conventions))}
<h2>Metric conventions</h2>
${list(conventions)}
${blocks.map((block) => section(block, Object.keys(conventions))).join('\n')}
</html>
`
}

function list(entries: Readonly<Record<string, string>>): string {
  const items = Object.entries(entries).map(
    ([name, text]) => `<dt>${escapeHtml(name)}<dd>${escapeHtml(text)}`,
  )
  return `<dl>${items.join('\n')}</dl>`
}

function summary(blocks: readonly ReportBlock[], names: readonly string[]): string {
  const rows = blocks.map(({ name, rows, mean, deviation }) => {
    const succeeded = rows.filter(({ error }) => error === undefined).length
    const cells = names.map((metric) => {
      const spread = deviation[metric] === undefined ? '' : ` ± ${figure(deviation[metric])}`
      return `${figure(mean[metric])}${spread}`
    })
    return [name, `${succeeded} of ${rows.length}`, ...cells]
  })
  return table(['', 'images', ...names.map(withArrow)], rows)
}

function section({ name, rows, worst }: ReportBlock, names: readonly string[]): string {
  const succeeded = rows.filter(({ error }) => error === undefined)
  const failed = rows.filter(({ error }) => error !== undefined)
  const figures = succeeded.map((row) => [row.name, ...names.map((metric) => figure(row.values[metric]))])
  const failures = failed.map((row) => `<p class="failed">${escapeHtml(failureText(row))}</p>`)
  return `<h2>${escapeHtml(name)}: worst cases</h2>
${worst.map(caseHtml).join('\n') || '<p>None to show.</p>'}
${failures.join('\n')}
<details><summary>${escapeHtml(name)}: all ${succeeded.length} images</summary>${table(['image', ...names.map(withArrow)], figures)}</details>`
}

/** Error text of a row, prefixed by the image's name unless it includes it. */
export function failureText({ name, error = '' }: Pick<Row, 'name' | 'error'>): string {
  return error.includes(name) ? error : `${name}: ${error}`
}

function caseHtml({ name, values, place, pictures }: ReportCase): string {
  const figures = Object.entries(values).map(([metric, value]) => `${metric} ${figure(value)}`)
  const crops = pictures.map(
    ({ caption, url }) =>
      `<figure><img src="${escapeHtml(url)}" alt="${escapeHtml(`${name}, ${caption}`)}"><figcaption>${escapeHtml(caption)}</figcaption></figure>`,
  )
  return `<h3>${escapeHtml(name)}</h3><p class="figures">${escapeHtml(`${figures.join(', ')}; ${place}`)}</p><div class="case">${crops.join('')}</div>`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (tag: 'th' | 'td', cells: readonly string[]) =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}`).join('')}`
  return `<div class="scroll"><table>${[line('th', head), ...rows.map((row) => line('td', row))].join('\n')}</table></div>`
}

function withArrow(name: string): string {
  return `${name} ${factsOf(name).lowerIsBetter ? '↓' : '↑'}`
}

/** Formats a metric value with the digits common in tables. */
export function figure(value: number | undefined): string {
  if (value === undefined) return '–'
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  return value.toFixed(Math.abs(value) >= 10 ? 3 : 4)
}
