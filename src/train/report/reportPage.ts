// report.html: where the training is, curves, images of the newest validation and settings, in one self-contained
// file.

import { escapeHtml } from '../../core/html.ts'
import { curve, type Point, shortNumber, thinned } from './curve.ts'
import type { LogNote, LogRow } from './logRow.ts'

/** One validation image: input, output and truth as data URLs. */
export interface ReportImage {
  readonly name: string
  readonly caption: string
  readonly input: string
  readonly output: string
  readonly truth: string
}

/** What a report shows besides the log. */
export interface ReportSubject {
  readonly title: string
  /** Steps of the whole training. */
  readonly steps: number
  /** Settings by label. */
  readonly settings: Readonly<Record<string, string>>
}

/** Newest validation and log of a training. */
export interface Report extends ReportSubject {
  readonly rows: readonly LogRow[]
  readonly notes: readonly LogNote[]
  readonly images: readonly ReportImage[]
  /** Step of the best validation. */
  readonly bestStep: number | undefined
}

const style = `body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:1440px;padding:0 1.5rem;color:#1a1a1a;background:#fff}
h1{font-size:1.4rem;margin:0}h2{font-size:1rem;margin:1.2rem 0 .4rem}p{margin:.2rem 0}
progress{width:100%;height:.6rem;margin:.5rem 0}
.key{display:flex;flex-wrap:wrap;gap:.3rem 2rem;margin:0}.key div{min-width:7rem}.key dt,.muted,figcaption{color:#666}.key dd{margin:0;font-size:1.3rem;font-variant-numeric:tabular-nums}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:0 2.5rem;align-items:start}
.small{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,240px),1fr));gap:0 1.5rem}
figure{margin:.4rem 0 .8rem}figcaption{overflow-wrap:anywhere}figcaption b{color:#1a1a1a}.images div{display:flex;gap:4px}.images img{width:calc((100% - 8px)/3);display:block;image-rendering:pixelated}
svg{width:100%;height:auto;display:block}svg text{font:11px system-ui,sans-serif;fill:#666}svg line{stroke:#8883}polyline{fill:none;stroke:#2a6fdb;stroke-width:1.5}circle{fill:#2a6fdb}
.settings{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:0}.settings dt{color:#666}.settings dd{margin:0;overflow-wrap:anywhere}
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}.key dt,.muted,figcaption,.settings dt{color:#aaa}figcaption b{color:#eee}svg text{fill:#aaa}}`

/** Figures about the work rather than the result, which are drawn small. */
const workings = ['gradNorm', 'learningRate', 'secondsPerStep', 'imagesPerSecond', 'dataWait']

/** Renders the page; all text in the report is escaped. */
export function reportHtml(report: Report): string {
  const { title, steps, settings, rows, notes, images } = report
  const done = rows.at(-1)?.step ?? 0
  const { results, losses, work } = curvesOf(report)
  const figures = images.map(imageHtml)
  const listed = notes.map(({ step, text }) => `<p>Step ${step}: ${escapeHtml(text)}</p>`)
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="30"><title>${escapeHtml(title)}</title><style>${style}</style>
<h1>${escapeHtml(title)}</h1>
<progress max="${steps}" value="${done}"></progress>
<dl class="key">${keyFigures(report).join('')}</dl>
<div class="columns">
<div>${section('Validation', results)}${section('Loss', losses.slice(0, 1))}${section('Parts of the loss', losses.slice(1), 'small')}</div>
<div>${section('Newest validation: input, output, truth', figures, 'images')}${section('Notes', listed)}
<h2>Settings</h2><dl class="settings">${Object.entries(settings)
    .map(([name, text]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(text)}</dd>`)
    .join('\n')}</dl></div>
</div>
${section('Work', work, 'small')}
</html>
`
}

function section(title: string, parts: readonly string[], className = ''): string {
  if (parts.length === 0) return ''
  return `<h2>${title}</h2><div class="${className}">${parts.join('\n')}</div>`
}

/** Where the training is, most important first. */
function keyFigures({ rows, steps, bestStep }: Report): readonly string[] {
  const last = rows.at(-1)
  const entry = (name: string, text: string) => `<div><dt>${escapeHtml(name)}</dt><dd>${text}</dd></div>`
  if (!last) return [entry('step', `0 of ${steps}`)]
  const [metric, best] = Object.entries(rows.find(isValidationAt(bestStep))?.values ?? {})[0] ?? []
  const loss = rows.findLast(({ kind }) => kind === 'train')?.values.loss
  const started = rows[0]!.time
  return [
    entry('step', `${last.step} of ${steps}`),
    ...(metric === undefined || best === undefined
      ? []
      : [entry(`best ${metric}, at step ${bestStep}`, shortNumber(best))]),
    ...(loss === undefined ? [] : [entry('loss', shortNumber(loss))]),
    entry('since the first row', hours(last.time - started)),
    entry('updated', new Date(last.time * 1000).toISOString().slice(0, 16).replace('T', ' ')),
  ]
}

function isValidationAt(step: number | undefined): (row: LogRow) => boolean {
  return (row) => row.kind === 'validate' && row.step === step
}

function hours(seconds: number): string {
  const minutes = Math.round(seconds / 60)
  return minutes < 60
    ? `${minutes} min`
    : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

interface Curves {
  readonly results: readonly string[]
  readonly losses: readonly string[]
  readonly work: readonly string[]
}

function curvesOf({ rows, bestStep }: Report): Curves {
  const validations = rows.filter(({ kind }) => kind === 'validate')
  const trained = rows.filter(({ kind }) => kind === 'train')
  const namesIn = (some: readonly LogRow[]) => [...new Set(some.flatMap(({ values }) => Object.keys(values)))]
  // The sum of several losses comes first.
  const losses = namesIn(trained).filter((name) => !workings.includes(name))
  const ordered = ['loss', ...losses.filter((name) => name !== 'loss' && !isSameAs(trained, name, 'loss'))]
  const results = namesIn(validations).map((name, i) => {
    const points = pointsOf(validations, name)
    return curve(name, thinned(points), i === 0 ? points.find(([step]) => step === bestStep) : undefined)
  })
  const drawn = (names: readonly string[]) =>
    names.flatMap((name) => {
      const points = thinned(pointsOf(trained, name))
      return points.length === 0 ? [] : [curve(name, points)]
    })
  return { results, losses: drawn(ordered), work: drawn(workings) }
}

/** Whether a loss is the only one, whose sum is the same. */
function isSameAs(rows: readonly LogRow[], name: string, other: string): boolean {
  return rows.every(({ values }) => values[name] === values[other])
}

function pointsOf(rows: readonly LogRow[], name: string): readonly Point[] {
  return rows.flatMap(({ step, values }): Point[] => {
    const value = values[name]
    return value !== undefined && Number.isFinite(value) ? [[step, value]] : []
  })
}

function imageHtml({ name, caption, input, output, truth }: ReportImage): string {
  const pictures = [input, output, truth].map((url) => `<img src="${url}" alt="">`)
  return `<figure><div>${pictures.join('')}</div><figcaption>${escapeHtml(name)}: ${escapeHtml(caption)}</figcaption></figure>`
}
