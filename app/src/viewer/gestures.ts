// Moves and zooms the view by pointer, wheel and touch.

import { type Point, type Size, type View, zoomedAt } from './view.ts'

export interface GestureTarget {
  readonly view: () => View
  /** The viewport that a point is in, and the point in it. */
  readonly locate: (event: { readonly clientX: number; readonly clientY: number }) => {
    readonly at: Point
    readonly size: Size
  }
  readonly change: (view: View) => void
  /** A double click or a double tap. */
  readonly toggle: (at: Point, size: Size) => void
}

/** Time and distance within which two taps are one gesture. */
const doubleTapMs = 300
const doubleTapPx = 24

/** Listens on an element until the returned function is called. */
export function listenToGestures(element: HTMLElement, target: GestureTarget): () => void {
  const pointers = new Map<number, { readonly clientX: number; readonly clientY: number }>()
  const listening = new AbortController()
  const { signal } = listening
  let lastTap = { ms: Number.NEGATIVE_INFINITY, clientX: 0, clientY: 0 }

  element.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault()
      const { at, size } = target.locate(event)
      // Lines instead of pixels, and pinches of a touch pad, which come as small steps.
      const unit = event.deltaMode === 1 ? 16 : 1
      const pace = event.ctrlKey ? 0.01 : 0.0015
      target.change(zoomedAt(target.view(), Math.exp(-event.deltaY * unit * pace), at, size))
    },
    { signal, passive: false },
  )
  element.addEventListener(
    'pointerdown',
    (event) => {
      if (event.button !== 0 || (event.target as Element).closest('[data-own-pointer]')) return
      element.setPointerCapture(event.pointerId)
      pointers.set(event.pointerId, event)
    },
    { signal },
  )
  element.addEventListener(
    'pointermove',
    (event) => {
      const before = pointers.get(event.pointerId)
      if (!before) return
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1]
      const { view } = target
      if (other) pinch(before, event, other)
      else {
        const { zoom, center } = view()
        const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY]
        target.change({ zoom, center: { x: center.x - dx / zoom, y: center.y - dy / zoom } })
      }
      pointers.set(event.pointerId, event)
    },
    { signal },
  )

  const pinch = (before: PointerPlace, now: PointerPlace, other: PointerPlace) => {
    const middle = (one: PointerPlace) => ({
      clientX: (one.clientX + other.clientX) / 2,
      clientY: (one.clientY + other.clientY) / 2,
    })
    const { at: from, size } = target.locate(middle(before))
    const { at: to } = target.locate(middle(now))
    const zoomed = zoomedAt(target.view(), distance(now, other) / distance(before, other), from, size)
    const { zoom, center } = zoomed
    const [dx, dy] = [to.x - from.x, to.y - from.y]
    target.change({ zoom, center: { x: center.x - dx / zoom, y: center.y - dy / zoom } })
  }

  const release = (event: PointerEvent) => {
    const isTap = pointers.delete(event.pointerId) && event.type === 'pointerup'
    if (!isTap || event.pointerType === 'mouse') return
    const isSecond = event.timeStamp - lastTap.ms < doubleTapMs && distance(event, lastTap) < doubleTapPx
    const { at, size } = target.locate(event)
    if (isSecond) target.toggle(at, size)
    lastTap = {
      ms: isSecond ? Number.NEGATIVE_INFINITY : event.timeStamp,
      clientX: event.clientX,
      clientY: event.clientY,
    }
  }
  element.addEventListener('pointerup', release, { signal })
  element.addEventListener('pointercancel', release, { signal })
  element.addEventListener(
    'dblclick',
    (event) => {
      if ((event.target as Element).closest('[data-own-pointer]')) return
      // Taps are counted above, since browsers differ in what they make of them.
      if ((event as unknown as PointerEvent).pointerType === 'touch') return
      const { at, size } = target.locate(event)
      target.toggle(at, size)
    },
    { signal },
  )
  return () => listening.abort()
}

interface PointerPlace {
  readonly clientX: number
  readonly clientY: number
}

function distance(a: PointerPlace, b: PointerPlace): number {
  return Math.max(Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), 1)
}
