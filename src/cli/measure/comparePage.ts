// A page of one file that shows a picture before and after: slider, difference, zoom. It loads nothing and
// runs offline.

import { escapeHtml } from '../../core/html.ts'
import { encodeBytes } from '../../data/encode.ts'
import type { Pixels } from '../../data/image.ts'

export interface Compared {
  readonly title: string
  /** What was done, in a line. */
  readonly caption: string
  readonly before: Pixels
  readonly after: Pixels
  /** Profile of both; undefined for sRGB. */
  readonly icc: Uint8Array | undefined
}

/** Above this a page holds JPEG, as PNG would take a hundred megabytes. */
const exactPixels = 8e6

/** The page as HTML. The picture before is shown in the size of the one after. */
export async function comparePage({ title, caption, before, after, icc }: Compared): Promise<string> {
  const first = await dataUrl(before, icc)
  const second = await dataUrl(after, icc)
  const size = `${after.width} × ${after.height}`
  const exactness = isExact(after) ? '' : ', shown as JPEG'
  const parts: Readonly<Record<string, string>> = {
    title: escapeHtml(title),
    caption: escapeHtml(`${caption}; ${size}${exactness}`),
    width: String(after.width),
    height: String(after.height),
    before: first,
    after: second,
  }
  // At once, since a title may hold the name of another part.
  return template.replace(
    /\{(title|caption|width|height|before|after)\}/g,
    (_, part: string) => parts[part] ?? '',
  )
}

function isExact({ width, height, hasAlpha }: Pixels): boolean {
  return hasAlpha || width * height <= exactPixels
}

async function dataUrl(pixels: Pixels, icc: Uint8Array | undefined): Promise<string> {
  const format = isExact(pixels) ? 'png' : 'jpeg'
  const bytes = await encodeBytes({ pixels, depth: 8, format, metadata: { icc } })
  return `data:image/${format};base64,${Buffer.from(bytes).toString('base64')}`
}

const template = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}: before and after</title>
<style>
  :root { color-scheme: dark; font: 15px/1.4 system-ui, sans-serif; background: #181818; color: #ddd }
  body { margin: 0; height: 100vh; display: flex; flex-direction: column }
  header { display: flex; flex-wrap: wrap; gap: .5em 1.2em; align-items: center; padding: .5em 1em; background: #222 }
  h1 { font-size: 1em; margin: 0 } p { margin: 0; color: #aaa } header > p { flex: 1 }
  button, select, input { font: inherit; accent-color: #6cf }
  #view { position: relative; flex: 1; overflow: hidden; cursor: grab; touch-action: none; outline-offset: -3px;
    background: repeating-conic-gradient(#333 0 25%, #3b3b3b 0 50%) 0 0 / 24px 24px }
  #stage { position: absolute; width: {width}px; height: {height}px; transform-origin: 0 0; isolation: isolate }
  #stage img { position: absolute; inset: 0; width: 100%; height: 100%; -webkit-user-drag: none; user-select: none }
  .close img { image-rendering: pixelated }
  #bar { position: absolute; top: 0; bottom: 0; width: 2px; background: #fff; box-shadow: 0 0 3px #000; cursor: ew-resize }
  #bar::after { content: '◂ ▸'; position: absolute; top: 50%; left: 1px; transform: translate(-50%, -50%); padding: .2em .5em;
    border-radius: 1em; background: #fff; color: #222; white-space: nowrap; font-size: 13px }
  .side { position: absolute; top: .7em; padding: .1em .6em; border-radius: 1em; background: #000a; pointer-events: none }
  #left { left: .7em } #right { right: .7em }
  [hidden] { display: none !important }
</style>
<header>
  <h1>{title}</h1>
  <p>{caption}</p>
  <label>Show <select id="mode">
    <option value="slider">before | after</option><option value="before">before</option>
    <option value="after">after</option><option value="difference">difference</option>
  </select></label>
  <label id="gainLabel" hidden>× <input id="gain" type="range" min="1" max="40" value="10"> <output id="gainValue">10</output></label>
  <label id="splitLabel">Divide <input id="split" type="range" min="0" max="100" step="0.1" value="50"></label>
  <span><button id="fit">Fit</button> <button id="full">1:1</button> <output id="zoom"></output></span>
</header>
<main id="view" tabindex="0" aria-label="Pictures before and after; drag to move, wheel or + and - to zoom">
  <div id="stage"><img id="before" alt="before" src="{before}"><img id="after" alt="after" src="{after}"></div>
  <div id="bar"></div><span class="side" id="left">before</span><span class="side" id="right">after</span>
</main>
<script>
  const at = (id) => document.getElementById(id)
  const [view, stage, bar, after, before] = ['view', 'stage', 'bar', 'after', 'before'].map(at)
  const size = { width: {width}, height: {height} }
  let scale = 1, x = 0, y = 0
  function draw() {
    const mode = at('mode').value
    const split = view.clientWidth * at('split').value / 100
    stage.style.transform = 'translate(' + x + 'px,' + y + 'px) scale(' + scale + ')'
    stage.classList.toggle('close', scale >= 2)
    const isSlider = mode === 'slider', isDifference = mode === 'difference'
    for (const id of ['bar', 'splitLabel', 'left', 'right']) at(id).hidden = !isSlider
    at('gainLabel').hidden = !isDifference
    bar.style.left = split - 1 + 'px'
    after.style.clipPath = isSlider ? 'inset(0 0 0 ' + Math.max(0, (split - x) / scale) + 'px)' : ''
    after.style.mixBlendMode = isDifference ? 'difference' : ''
    after.hidden = mode === 'before'
    // Where pictures are transparent, the one before would show through.
    before.style.clipPath = isSlider ? 'inset(0 ' + Math.max(0, size.width - (split - x) / scale) + 'px 0 0)' : ''
    before.hidden = mode === 'after'
    stage.style.filter = isDifference ? 'brightness(' + at('gain').value + ')' : ''
    at('gainValue').value = at('gain').value
    at('zoom').value = Math.round(scale * 100) + ' %'
  }
  function zoomAt(factor, px = view.clientWidth / 2, py = view.clientHeight / 2) {
    const next = Math.min(32, Math.max(0.02, scale * factor))
    x = px - (px - x) * next / scale
    y = py - (py - y) * next / scale
    scale = next
    draw()
  }
  function fit() {
    scale = Math.min(view.clientWidth / size.width, view.clientHeight / size.height, 8)
    x = (view.clientWidth - size.width * scale) / 2
    y = (view.clientHeight - size.height * scale) / 2
    draw()
  }
  view.addEventListener('wheel', (event) => {
    event.preventDefault()
    const box = view.getBoundingClientRect()
    zoomAt(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top)
  }, { passive: false })
  view.addEventListener('pointerdown', (event) => {
    event.preventDefault()
    view.focus()
    view.setPointerCapture(event.pointerId)
    const isBar = !bar.hidden && Math.abs(event.clientX - bar.getBoundingClientRect().left) < 16
    const move = ({ movementX, movementY, clientX }) => {
      if (isBar) at('split').value = 100 * (clientX - view.getBoundingClientRect().left) / view.clientWidth
      else { x += movementX; y += movementY }
      draw()
    }
    view.addEventListener('pointermove', move)
    view.addEventListener('lostpointercapture', () => view.removeEventListener('pointermove', move), { once: true })
  })
  const keys = { ArrowLeft: [-2], ArrowRight: [2] }
  view.addEventListener('keydown', (event) => {
    if (event.key in keys) { at('split').value = Number(at('split').value) + keys[event.key][0]; draw() }
    else if (event.key === '+' || event.key === '=') zoomAt(1.25)
    else if (event.key === '-') zoomAt(0.8)
    else if (event.key === '0') fit()
  })
  for (const id of ['mode', 'gain', 'split']) at(id).addEventListener('input', draw)
  at('fit').addEventListener('click', fit)
  at('full').addEventListener('click', () => zoomAt(1 / scale))
  addEventListener('resize', fit)
  fit()
</script>
</html>
`
