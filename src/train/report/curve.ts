// A curve of one figure over the steps, as SVG.

import { escapeHtml } from '../../core/html.ts'

/** Step and value. */
export type Point = readonly [step: number, value: number]

const width = 560
const height = 200
const left = 64
const right = 16
const top = 10
const bottom = 24

/** Span beyond which positive values are drawn on a logarithmic scale. */
const logarithmicFrom = 30

/** At most 400 points; longer series are averaged in equal bins. */
export function thinned(points: readonly Point[]): readonly Point[] {
  const size = Math.max(1, Math.ceil(points.length / 400))
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i): Point => {
    const bin = points.slice(i * size, (i + 1) * size)
    return [bin.at(-1)![0], bin.reduce((sum, [, value]) => sum + value, 0) / bin.length]
  })
}

/** Draws points of increasing step; `best` marks the one whose weights are kept. */
export function curve(title: string, points: readonly Point[], best?: Point): string {
  const values = points.map(([, value]) => value)
  const low = Math.min(...values)
  const high = Math.max(...values)
  const isLogarithmic = low > 0 && high / low > logarithmicFrom
  const scaled = isLogarithmic ? Math.log10 : (value: number) => value
  const first = points[0]?.[0] ?? 0
  const last = points.at(-1)?.[0] ?? 1
  const x = (step: number) => left + ((width - left - right) * (step - first)) / Math.max(last - first, 1)
  const span = scaled(high) - scaled(low) || 1
  const y = (value: number) =>
    height - bottom - ((height - bottom - top) * (scaled(value) - scaled(low))) / span
  const path = points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
  const rows = (isLogarithmic ? decades(low, high) : ticks(low, high, 4)).map(
    (value) =>
      `<line x1="${left}" x2="${width - right}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}"/><text x="${left - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${shortNumber(value)}</text>`,
  )
  const columns = ticks(first, last, 5).map(
    (step) =>
      `<text x="${x(step).toFixed(1)}" y="${height - 6}" text-anchor="middle">${shortNumber(step)}</text>`,
  )
  const mark = best ? `<circle cx="${x(best[0]).toFixed(1)}" cy="${y(best[1]).toFixed(1)}" r="3.5"/>` : ''
  const latest = `${shortNumber(values.at(-1) ?? 0)}${isLogarithmic ? ', logarithmic' : ''}`
  return `<figure class="curve"><figcaption>${escapeHtml(title)} <b>${latest}</b></figcaption><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}">${rows.join('')}${columns.join('')}<polyline points="${path}"/>${mark}</svg></figure>`
}

/** Round numbers within a range, about `count` of them; its only value where it has no width. */
function ticks(low: number, high: number, count: number): readonly number[] {
  if (!(high > low)) return [low]
  const rough = (high - low) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough)!
  const first = Math.ceil(low / step)
  const found = Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step)
  return found.length > 0 ? found : [low]
}

/** Powers of ten within a range. */
function decades(low: number, high: number): readonly number[] {
  const first = Math.ceil(Math.log10(low))
  return Array.from({ length: Math.floor(Math.log10(high)) - first + 1 }, (_, i) => 10 ** (first + i))
}

/** A number in at most eight characters. */
export function shortNumber(value: number): string {
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2).replace(/\.?0+e/, 'e')
  return String(Number(value.toPrecision(size >= 1000 ? 6 : 4)))
}
