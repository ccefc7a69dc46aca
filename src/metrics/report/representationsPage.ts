// Self-contained HTML page of representations: one mark per degraded image, colored by blur width and shaped
// by noise level.

import { escapeHtml } from '../../core/html.ts'

export interface Dot {
  readonly x: number
  readonly y: number
  /** Image name. */
  readonly name: string
  /** Blur width in pixels of the high-resolution image. */
  readonly width: number
  /** Standard deviation of the noise in 0..255. */
  readonly noise: number
}

export interface RepresentationsReport {
  readonly dots: readonly Dot[]
  /** Shares of the variance along x and y. */
  readonly shares: readonly number[]
  /** R² of the linear probes, by quantity. */
  readonly r2: Readonly<Record<string, number>>
}

const side = 640
const border = 24

const style = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:760px;padding:0 1rem;color:#1a1a1a;background:#fff}
svg{width:100%;height:auto;background:#8881}i{display:inline-block;width:1em;height:1em;border-radius:50%;margin:0 .3em 0 1em;vertical-align:-.1em}
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}}`

/** Renders the page. */
export function representationsHtml({ dots, shares, r2 }: RepresentationsReport): string {
  const widths = [...new Set(dots.map(({ width }) => width))].sort((a, b) => a - b)
  const noises = [...new Set(dots.map(({ noise }) => noise))].sort((a, b) => a - b)
  const color = (width: number) =>
    `hsl(${Math.round(250 - (250 * widths.indexOf(width)) / widths.length)} 80% 48%)`
  const x = axis(dots.map((dot) => dot.x))
  const y = axis(dots.map((dot) => dot.y))
  const marks = dots.map((dot) => {
    const text = `${dot.name}, width ${dot.width.toFixed(2)}, noise ${dot.noise}`
    const shape = shapeAt(noises.indexOf(dot.noise), x(dot.x), side - y(dot.y))
    return `<path d="${shape}" fill="${color(dot.width)}" fill-opacity=".7"><title>${escapeHtml(text)}</title></path>`
  })
  const legend = widths.map((width) => `<i style="background:${color(width)}"></i>${width.toFixed(2)}`)
  const shapes = noises.map(
    (noise, i) =>
      `<path d="${shapeAt(i, border + i * 90, 12)}" fill="#888"/><text x="${border + 10 + i * 90}" y="16" font-size="13" fill="#888">${noise}</text>`,
  )
  const probes = Object.entries(r2).map(([name, value]) => `R² of ${name} ${value.toFixed(3)}`)
  const [first = 0, second = 0] = shares.map((share) => Math.round(100 * share))
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Degradation representations</title><style>${style}</style>
<h1>Degradation representations</h1>
<p>Each mark is an image with a known degradation, at its first two principal components (${first} % and ${second} % of the variance). Linear probes on unseen images: ${probes.join(', ')}.</p>
<p>Blur width in px:${legend.join('')}</p>
${noises.length > 1 ? `<p>Standard deviation of the noise:</p><svg viewBox="0 0 ${side} 24">${shapes.join('')}</svg>` : ''}
<svg viewBox="0 0 ${side} ${side}" role="img" aria-label="principal components">${marks.join('\n')}</svg>
</html>
`
}

/** Scales values to the plot area between the borders. */
function axis(values: readonly number[]): (value: number) => number {
  const low = Math.min(...values)
  const high = Math.max(...values)
  return (value) => border + ((side - 2 * border) * (value - low)) / (high - low || 1)
}

/** Path of a mark: a circle for kind 0, then polygons of 3, 4, 5 … corners. */
function shapeAt(kind: number, x: number, y: number): string {
  const corners = kind === 0 ? 24 : kind + 2
  const points = Array.from({ length: corners }, (_, i) => {
    const angle = (2 * Math.PI * i) / corners - Math.PI / 2
    return `${(x + 5 * Math.cos(angle)).toFixed(1)} ${(y + 5 * Math.sin(angle)).toFixed(1)}`
  })
  return `M${points.join('L')}Z`
}
