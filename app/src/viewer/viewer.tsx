// The selected photo, before and after.

import { useSignalEffect } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { selected } from '../queue/queue.ts'
import { strings } from '../strings.ts'
import { Icon } from '../ui/icons.tsx'
import { draw, type Mode, viewportOf } from './draw.ts'
import { listenToGestures } from './gestures.ts'
import {
  after,
  before,
  comparison,
  divider,
  failure,
  isHeld,
  isPixelated,
  layers,
  mode,
  view,
  viewport,
} from './shown.ts'
import { bounded, fitView, fitZoom, moved, type Point, type Size, type View, zoomedAt } from './view.ts'

export function Viewer() {
  const frame = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => (frame.current ? observe(frame.current) : undefined), [])
  useEffect(
    () => (frame.current ? listenToGestures(frame.current, gestureTarget(frame.current)) : undefined),
    [],
  )
  useSignalEffect(() => {
    // Read for the sake of its signals; what is painted is the scene of then, since bitmaps may be closed meanwhile.
    currentScene()
    const handle = requestAnimationFrame(() => canvas.current && paint(canvas.current, currentScene()))
    return () => cancelAnimationFrame(handle)
  })
  const words = strings.value
  const hasAfter = layers.value.after !== undefined
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of controls around a canvas, not a fieldset
    <div
      ref={frame}
      class={`viewer${mode.value === 'side' && hasAfter && !isHeld.value ? ' split' : ''}`}
      role="group"
      aria-label={words.viewer}
      aria-describedby="viewer-help"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the keys of the viewer work while it has focus
      tabIndex={0}
      onKeyDown={onKey}
      onKeyUp={({ key }) => key.toLowerCase() === 'h' && release()}
      onBlur={release}
    >
      <canvas ref={canvas} />
      <p id="viewer-help" class="unseen">
        {words.viewerHelp}
      </p>
      <Badges />
      {mode.value === 'slider' && hasAfter && !isHeld.value && <Divider />}
      {failure.value && <p class="viewer-failure">{failure.value}</p>}
      {selected.value && !before.value && !failure.value && <span class="spinner" />}
    </div>
  )
}

function release(): void {
  isHeld.value = false
}

function currentScene() {
  const { before: base, after: top, strength } = layers.value
  return (
    base && {
      before: base,
      after: top,
      strength,
      view: view.value,
      mode: mode.value,
      divider: divider.value,
      isHeld: isHeld.value,
      isPixelated: isPixelated.value,
      viewport: viewport.value,
      density: devicePixelRatio,
    }
  )
}

function paint(canvas: HTMLCanvasElement, scene: ReturnType<typeof currentScene>): void {
  const { width, height } = viewport.value
  const [across, down] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)]
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across
    canvas.height = down
  }
  const context = canvas.getContext('2d')
  if (!context) return
  if (scene) draw(context, scene)
  else context.clearRect(0, 0, across, down)
}

/** Follows the size of the element; a view that fits stays fitted. */
function observe(element: HTMLElement): () => void {
  const observer = new ResizeObserver(() => {
    const size = { width: Math.max(element.clientWidth, 1), height: Math.max(element.clientHeight, 1) }
    const picture = before.value
    const isFitted = picture && isFittedIn(picture)
    viewport.value = size
    if (isFitted) fitPicture()
  })
  observer.observe(element)
  return () => observer.disconnect()
}

/** The viewport of a picture: in side by side, a half. */
function ownViewport(): Size {
  return viewportOf({
    mode: mode.value,
    viewport: viewport.value,
    after: layers.value.after,
    isHeld: isHeld.value,
  })
}

function isFittedIn(picture: Size): boolean {
  return Math.abs(view.value.zoom / fitZoom(picture, ownViewport()) - 1) < 0.01
}

function setView(changed: View): void {
  const picture = before.value
  if (picture) view.value = bounded(changed, picture, ownViewport())
}

function gestureTarget(element: HTMLElement) {
  return {
    view: () => view.value,
    change: setView,
    toggle,
    locate: ({ clientX, clientY }: { readonly clientX: number; readonly clientY: number }) => {
      const { left, top } = element.getBoundingClientRect()
      const size = ownViewport()
      return { at: { x: (clientX - left) % size.width, y: clientY - top }, size }
    },
  }
}

/** Between the whole picture and full size. */
function toggle(at: Point, size: Size): void {
  const picture = before.value
  if (!picture) return
  const fitted = fitView(picture, size)
  const full = fitted.zoom === 1 ? 2 : 1
  setView(isFittedIn(picture) ? zoomedAt(view.value, full / view.value.zoom, at, size) : fitted)
}

export function fitPicture(): void {
  const picture = before.value
  if (picture) view.value = fitView(picture, ownViewport())
}

/** Changes how the layers are shown; a view that fits stays fitted, since side by side has half the room. */
export function setMode(next: Mode): void {
  const picture = before.value
  const isFitted = picture && isFittedIn(picture)
  mode.value = next
  if (isFitted) fitPicture()
}

/** Zooms around the middle of the viewport. */
export function zoomTo(zoom: number): void {
  setView({ ...view.value, zoom })
}

const panPx = 60

const keys: Readonly<Record<string, () => void>> = {
  '+': () => zoomTo(view.value.zoom * 1.25),
  '=': () => zoomTo(view.value.zoom * 1.25),
  '-': () => zoomTo(view.value.zoom / 1.25),
  0: fitPicture,
  1: () => zoomTo(1),
  ArrowLeft: () => setView(moved(view.value, panPx, 0)),
  ArrowRight: () => setView(moved(view.value, -panPx, 0)),
  ArrowUp: () => setView(moved(view.value, 0, panPx)),
  ArrowDown: () => setView(moved(view.value, 0, -panPx)),
  h: () => {
    isHeld.value = true
  },
}

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if ((event.target as Element).closest('[role=slider]') && event.key.startsWith('Arrow')) return
  const act = keys[event.key] ?? keys[event.key.toLowerCase()]
  if (!act) return
  event.preventDefault()
  act()
}

function Badges() {
  const { original, restored, preview, difference } = strings.value
  if (!layers.value.after) return null
  const compared = comparison.value?.names
  const right = compared?.[1] ?? (after.value?.isPreview ? preview : restored)
  if (isHeld.value) return <span class="badge left">{compared?.[0] ?? original}</span>
  if (mode.value === 'difference') return <span class="badge left">{difference} × 8</span>
  return (
    <>
      <span class="badge left">{compared?.[0] ?? original}</span>
      <span class="badge right">{right}</span>
    </>
  )
}

function Divider() {
  const percent = Math.round(100 * divider.value)
  const move = (event: PointerEvent) => {
    const handle = event.currentTarget as HTMLElement
    if (!handle.hasPointerCapture(event.pointerId)) return
    const { left, width } = handle.parentElement?.getBoundingClientRect() ?? { left: 0, width: 1 }
    divider.value = Math.min(Math.max((event.clientX - left) / width, 0), 1)
  }
  const onArrow = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    divider.value = Math.min(Math.max(divider.value + step, 0), 1)
  }
  return (
    <div
      class="divider"
      data-own-pointer
      role="slider"
      tabIndex={0}
      aria-label={strings.value.slider}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      aria-valuetext={strings.value.dividerAt(percent)}
      style={{ left: `${100 * divider.value}%` }}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={move}
      onKeyDown={onArrow}
    >
      <span class="divider-grip">
        <Icon name="grip" />
      </span>
    </div>
  )
}
