// report.html: SVG curves and the images of the newest validation, in one self-contained file.

import { escapeHtml } from '../../core/html.ts'
import type { LogRow } from './logRow.ts'

/** One validation image: input, output and truth as data URLs. */
export interface ReportImage {
  readonly name: string
  readonly caption: string
  readonly input: string
  readonly output: string
  readonly truth: string
}

const width = 720
const height = 220
const left = 64
const bottom = 24
const top = 12

const style = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1100px;padding:0 1rem;color:#1a1a1a;background:#fff}
h2{font-size:1rem;margin:1.5rem 0 .3rem}svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#555}
figure{margin:1rem 0}figure div{display:flex;gap:6px}figure img{width:33%;image-rendering:pixelated}
figcaption{color:#555}@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}svg text,figcaption{fill:#aaa;color:#aaa}}`

export function reportHtml(title: string, rows: readonly LogRow[], images: readonly ReportImage[]): string {
  const last = rows.at(-1)
  const curves = (['train', 'validate'] as const).flatMap((kind) => {
    const ofKind = rows.filter((row) => row.kind === kind)
    const names = [...new Set(ofKind.flatMap(({ values }) => Object.keys(values)))]
    return names.map((name) => curve(`${kind}: ${name}`, pointsOf(ofKind, name)))
  })
  const figures = images.map(
    ({ name, caption, input, output, truth }) =>
      `<figure><div>${[input, output, truth].map((url) => `<img src="${url}" alt="">`).join('')}</div><figcaption>${escapeHtml(name)}: input, output, truth; ${escapeHtml(caption)}</figcaption></figure>`,
  )
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="30"><title>${escapeHtml(title)}</title><style>${style}</style>
<h1>${escapeHtml(title)}</h1><p>${last ? `Step ${last.step}, ${new Date(last.time * 1000).toISOString()}` : 'No steps yet'}</p>
${figures.join('\n')}
${curves.join('\n')}
</html>
`
}

type Point = readonly [step: number, value: number]

/** At most 400 points; longer series are averaged in equal bins. */
function pointsOf(rows: readonly LogRow[], name: string): readonly Point[] {
  const all = rows.flatMap(({ step, values }): Point[] => {
    const value = values[name]
    return value !== undefined && Number.isFinite(value) ? [[step, value]] : []
  })
  const size = Math.ceil(all.length / 400)
  return Array.from({ length: Math.ceil(all.length / Math.max(size, 1)) }, (_, i): Point => {
    const bin = all.slice(i * size, (i + 1) * size)
    return [bin.at(-1)?.[0] ?? 0, bin.reduce((sum, [, value]) => sum + value, 0) / bin.length]
  })
}

function curve(title: string, points: readonly Point[]): string {
  const values = points.map(([, value]) => value)
  const low = Math.min(...values)
  const high = Math.max(...values)
  const first = points[0]?.[0] ?? 0
  const last = points.at(-1)?.[0] ?? 1
  const x = (step: number) => left + ((width - left - 8) * (step - first)) / Math.max(last - first, 1)
  const y = (value: number) => height - bottom - ((height - bottom - top) * (value - low)) / (high - low || 1)
  const path = points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
  const label = (value: number) => Number(value.toPrecision(4))
  return `<h2>${escapeHtml(title)}: ${label(values.at(-1) ?? 0)}</h2><svg viewBox="0 0 ${width} ${height}" role="img">
<polyline fill="none" stroke="#2a6fdb" stroke-width="1.5" points="${path}"/>
<text x="${left - 6}" y="${top + 8}" text-anchor="end">${label(high)}</text><text x="${left - 6}" y="${height - bottom}" text-anchor="end">${label(low)}</text>
<text x="${left}" y="${height - 6}">${first}</text><text x="${width - 8}" y="${height - 6}" text-anchor="end">${last}</text></svg>`
}
