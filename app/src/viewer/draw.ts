// Draws layers on the viewport's canvas.

import type { Layer, Piece } from './layers.ts'
import { type Point, type Rectangle, type Size, toViewport, type View } from './view.ts'

export type Mode = 'slider' | 'side' | 'difference'

export interface Scene {
  readonly before: Layer
  /** Drawn over `before` where it has pieces. */
  readonly after: Layer | undefined
  readonly view: View
  readonly mode: Mode
  /** Where the slider is, 0..1 of the width. */
  readonly divider: number
  /** Share of `after`, 0..1. */
  readonly strength: number
  /** Shows `before` alone. */
  readonly isHeld: boolean
  readonly isPixelated: boolean
  /** Device pixels of a CSS pixel. */
  readonly density: number
  /** Size of the viewport in CSS pixels. */
  readonly viewport: Size
}

type Context = CanvasRenderingContext2D

/** How many times a difference is amplified: 2 to this power. */
const differenceDoublings = 3

export function draw(context: Context, scene: Scene): void {
  const { width, height } = context.canvas
  context.globalAlpha = 1
  context.globalCompositeOperation = 'source-over'
  context.clearRect(0, 0, width, height)
  const { mode, isHeld, after, divider } = scene
  const whole = { x: 0, y: 0, width, height }
  if (isHeld || !after) drawBefore(context, scene, whole)
  else if (mode === 'difference') drawDifference(context, scene, whole)
  else if (mode === 'slider') {
    const split = Math.round(divider * width)
    drawBefore(context, scene, { ...whole, width: split })
    drawAfter(context, scene, { ...whole, x: split, width: width - split })
  } else {
    const half = Math.floor(width / 2)
    drawBefore(context, scene, { ...whole, width: half })
    drawAfter(context, scene, { ...whole, x: width - half, width: half })
  }
}

function drawBefore(context: Context, scene: Scene, part: Rectangle): void {
  clipped(context, part, () => drawLayer(context, scene.before, scene, part))
}

function drawAfter(context: Context, scene: Scene, part: Rectangle): void {
  clipped(context, part, () => {
    drawLayer(context, scene.before, scene, part)
    if (!scene.after) return
    context.globalAlpha = scene.strength
    drawLayer(context, scene.after, scene, part)
    context.globalAlpha = 1
  })
}

function drawDifference(context: Context, scene: Scene, whole: Rectangle): void {
  if (!scene.after) return
  drawLayer(context, scene.before, scene, whole)
  context.globalCompositeOperation = 'difference'
  context.globalAlpha = 1
  drawLayer(context, scene.after, scene, whole)
  context.globalCompositeOperation = 'lighter'
  for (let i = 0; i < differenceDoublings; i++) context.drawImage(context.canvas, 0, 0)
  context.globalCompositeOperation = 'source-over'
}

function clipped(context: Context, { x, y, width, height }: Rectangle, paint: () => void): void {
  context.save()
  context.beginPath()
  context.rect(x, y, width, height)
  context.clip()
  paint()
  context.restore()
}

/** In side by side, each half is a viewport of its own with the same view. */
export function viewportOf({
  mode,
  viewport,
  after,
  isHeld,
}: Pick<Scene, 'mode' | 'viewport' | 'after' | 'isHeld'>): Size {
  const isSplit = mode === 'side' && after && !isHeld
  return isSplit ? { ...viewport, width: viewport.width / 2 } : viewport
}

function drawLayer(context: Context, layer: Layer, scene: Scene, part: Rectangle): void {
  const { view, density, isPixelated } = scene
  const viewport = viewportOf(scene)
  const left = scene.mode === 'side' ? part.x : 0
  const place = ({ x, y }: Point) => {
    const at = toViewport(view, { x, y }, viewport)
    // Whole device pixels, so that no seam shows between pieces.
    return { x: left + Math.round(at.x * density), y: Math.round(at.y * density) }
  }
  const { width, overview } = layer
  context.imageSmoothingEnabled = !(isPixelated && view.zoom > 1)
  context.imageSmoothingQuality = 'high'
  const isSmall = overview && view.zoom * density * width <= overview.width
  const pieces: readonly Piece[] = isSmall
    ? [{ x: 0, y: 0, width, height: layer.height, bitmap: overview }]
    : layer.pieces
  for (const piece of pieces) {
    const start = place(piece)
    const end = place({ x: piece.x + piece.width, y: piece.y + piece.height })
    if (end.x < part.x || end.y < part.y || start.x > part.x + part.width || start.y > part.y + part.height)
      continue
    context.drawImage(piece.bitmap, start.x, start.y, end.x - start.x, end.y - start.y)
  }
}
