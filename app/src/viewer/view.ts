// Which part of a picture a viewport shows: pure geometry. Coordinates of pictures are in pixels of the original.

export interface Size {
  readonly width: number
  readonly height: number
}

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Rectangle extends Point, Size {}

export interface View {
  /** CSS pixels that a pixel of the picture covers. */
  readonly zoom: number
  /** Point of the picture in the middle of the viewport. */
  readonly center: Point
}

const largestZoom = 32

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high)

/** Zoom at which the whole picture is visible; small pictures are not enlarged beyond full size. */
export function fitZoom(picture: Size, viewport: Size): number {
  return Math.min(viewport.width / picture.width, viewport.height / picture.height, 1)
}

/** The view of a whole picture. */
export function fitView(picture: Size, viewport: Size): View {
  return {
    zoom: fitZoom(picture, viewport),
    center: { x: picture.width / 2, y: picture.height / 2 },
  }
}

/** Keeps the zoom within its limits and the picture within sight. */
export function bounded({ zoom, center }: View, picture: Size, viewport: Size): View {
  const kept = clamp(zoom, Math.min(fitZoom(picture, viewport), 1) / 2, largestZoom)
  return {
    zoom: kept,
    center: { x: clamp(center.x, 0, picture.width), y: clamp(center.y, 0, picture.height) },
  }
}

/** Zooms by a factor, with the point `at` of the viewport staying where it is. */
export function zoomedAt(view: View, factor: number, at: Point, viewport: Size): View {
  const zoom = clamp(view.zoom * factor, 0.01, largestZoom)
  const before = toPicture(view, at, viewport)
  return {
    zoom,
    center: {
      x: before.x - (at.x - viewport.width / 2) / zoom,
      y: before.y - (at.y - viewport.height / 2) / zoom,
    },
  }
}

/** Moves the picture by a distance in CSS pixels. */
export function moved({ zoom, center }: View, dx: number, dy: number): View {
  return { zoom, center: { x: center.x - dx / zoom, y: center.y - dy / zoom } }
}

/** The point of the picture under a point of the viewport. */
export function toPicture({ zoom, center }: View, at: Point, viewport: Size): Point {
  return {
    x: center.x + (at.x - viewport.width / 2) / zoom,
    y: center.y + (at.y - viewport.height / 2) / zoom,
  }
}

/** The point of the viewport where a point of the picture is. */
export function toViewport({ zoom, center }: View, at: Point, viewport: Size): Point {
  return {
    x: (at.x - center.x) * zoom + viewport.width / 2,
    y: (at.y - center.y) * zoom + viewport.height / 2,
  }
}

/** The visible part of the picture, at most `side` pixels wide and high, around its middle. */
export function visibleCrop(view: View, picture: Size, viewport: Size, side: number): Rectangle {
  const start = toPicture(view, { x: 0, y: 0 }, viewport)
  const end = toPicture(view, { x: viewport.width, y: viewport.height }, viewport)
  const across = span(start.x, end.x, picture.width, side)
  const down = span(start.y, end.y, picture.height, side)
  return { x: across.start, y: down.start, width: across.length, height: down.length }
}

function span(from: number, to: number, whole: number, side: number) {
  const [start, end] = [clamp(Math.floor(from), 0, whole), clamp(Math.ceil(to), 0, whole)]
  const length = Math.min(Math.max(end - start, 1), side, whole)
  const middle = (start + end) / 2
  return { start: clamp(Math.round(middle - length / 2), 0, whole - length), length }
}
