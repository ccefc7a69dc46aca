// What the viewer shows: the selected photo, before and after.

import { batch, computed, effect, signal, untracked } from '@preact/signals'
import type { Engine, ModelChoice, RunEvents } from '../engine/engine.ts'
import { paceOf } from '../engine/pace.ts'
import { messageOf } from '../message.ts'
import { log } from '../notices.ts'
import { fileOf, type Item } from '../queue/item.ts'
import { isBusy, isOutdated, modelChoice, selected } from '../queue/queue.ts'
import { thumbnailOf } from '../queue/thumbnail.ts'
import { settings } from '../settings.ts'
import type { Mode } from './draw.ts'
import { closeLayer, type Layer, type Piece } from './layers.ts'
import { fitView, type Rectangle, type Size, type View, visibleCrop } from './view.ts'

export const mode = signal<Mode>('slider')
export const divider = signal(0.5)
export const isHeld = signal(false)
export const isPixelated = signal(true)
export const viewport = signal<Size>({ width: 1, height: 1 })
export const view = signal<View>({ zoom: 1, center: { x: 0, y: 0 } })

/** The original; undefined while it is decoded. */
export const before = signal<Layer | undefined>(undefined)
/** The result, or a preview of a part. */
export const after = signal<(Layer & { readonly isPreview: boolean }) | undefined>(undefined)
/** Why the original cannot be shown. */
export const failure = signal<string | undefined>(undefined)

/** Two models on the same part. */
export interface Comparison {
  readonly left: Layer
  readonly right: Layer
  readonly names: readonly [string, string]
}

export const comparison = signal<Comparison | undefined>(undefined)
export const isComparing = signal(false)

/** Sides of previews: the largest, and that on a device whose pace is not known. */
const [largestSide, usualSide] = [384, 256]
const [smallestSide, previewSeconds] = [128, 1]

/** Size of a side of a preview, whose network takes about a second on this device. */
function previewSide({ id }: ModelChoice): number {
  const pace = paceOf(id === 'auto' ? 'light-photo' : id)
  if (pace === undefined) return usualSide
  const side = Math.sqrt((1e6 * previewSeconds) / pace)
  return Math.min(Math.max(side - (side % 32), smallestSide), largestSide)
}

let engine: Engine | undefined
/** The photo whose layers are shown. */
let shownItem: Item | undefined
let decoding: Promise<void> = Promise.resolve()

export function startViewer(one: Engine): void {
  engine = one
  effect(() => {
    const item = selected.value
    untracked(() => {
      if (item !== shownItem) decoding = show(item)
    })
  })
  effect(() => {
    // A result that came, or was taken back.
    const item = selected.value
    const state = item?.state.value
    if (item && state?.kind === 'done') untracked(() => void showResult(item))
  })
  let timer: ReturnType<typeof setTimeout> | undefined
  effect(() => {
    const item = selected.value
    const isWanted = item && isOutdated(item) && !isBusy.value && settings.value
    clearTimeout(timer)
    if (isWanted) timer = setTimeout(() => void previewAlone(item), 300)
  })
}

function replaceAfter(layer: (Layer & { readonly isPreview: boolean }) | undefined): void {
  const old = after.value
  after.value = layer
  closeLayer(old)
}

async function show(item: Item | undefined): Promise<void> {
  shownItem = item
  const old = before.value
  batch(() => {
    before.value = undefined
    failure.value = undefined
    endComparison()
    replaceAfter(undefined)
  })
  closeLayer(old)
  if (!item || !engine) return
  try {
    const layer = await engine.decode(await fileOf(item), item.name)
    if (shownItem !== item) return closeLayer(layer)
    batch(() => {
      before.value = layer
      view.value = fitView(layer, viewport.value)
    })
    const [piece] = layer.pieces
    if (piece) item.thumbnail.value ??= await thumbnailOf(layer.overview ?? piece.bitmap)
    if (item.state.value.kind === 'done') await showResult(item)
  } catch (error) {
    if (shownItem === item) failure.value = messageOf(error)
    log(`${item.name}: ${messageOf(error)}`)
  }
}

async function showResult(item: Item): Promise<void> {
  const state = item.state.value
  const original = before.value
  if (state.kind !== 'done' || !original || shownItem !== item || !engine) return
  const restored = item.restored.value
  const layer = restored ? await restored.layer() : await engine.decode(state.result.file, state.result.name)
  if (shownItem !== item || item.state.value !== state) return closeLayer(layer)
  // A decoded file has its own coordinates.
  replaceAfter({ ...placed(layer, original), isPreview: false })
}

/** A layer in the coordinates of the original, which it may be larger than. */
function placed(layer: Layer, original: Size): Layer {
  const shrink = original.width / layer.width
  if (shrink === 1) return layer
  const pieces = layer.pieces.map(({ x, y, width, height, bitmap }) => ({
    ...{ x: x * shrink, y: y * shrink, width: width * shrink, height: height * shrink, bitmap },
  }))
  return { ...original, pieces, overview: layer.overview }
}

/** The part of the photo that a preview restores, small enough for the slowest of the models. */
function previewPart(picture: Size, ...choices: readonly ModelChoice[]): Rectangle {
  const side = Math.min(...choices.map(previewSide))
  return visibleCrop(view.value, picture, viewport.value, side)
}

/** Restores the visible part of a photo before the whole, if it is the one that is shown. */
export async function previewFirst(item: Item, events: RunEvents): Promise<void> {
  if (item !== selected.value) return
  await decoding
  const picture = before.value
  // A small picture is restored as fast as a part of it.
  if (item !== shownItem || !picture || picture.width * picture.height < 4 * largestSide ** 2) return
  await preview(picture, item, events)
}

/** Draws a part of the result over what there is. */
export function showPiece(item: Item, piece: Piece): void {
  const picture = before.value
  // Parts may come after the whole.
  if (item !== shownItem || !picture || item.state.value.kind !== 'working') {
    piece.bitmap.close()
    return
  }
  const { width, height } = picture
  const pieces = after.value?.isPreview ? after.value.pieces : []
  after.value = { width, height, pieces: [...pieces, piece], isPreview: true }
}

async function preview(picture: Layer, item: Item, events: RunEvents): Promise<void> {
  if (!engine) return
  const choice = modelChoice(settings.value, item)
  const layer = await engine.preview(await fileOf(item), previewPart(picture, choice), choice, events)
  if (shownItem !== item || events.signal.aborted) return closeLayer(layer)
  replaceAfter({ ...layer, isPreview: true })
}

let previewing: AbortController | undefined

/** Shows what other settings would do, while nothing else is computed. */
async function previewAlone(item: Item): Promise<void> {
  const picture = before.value
  if (!picture || shownItem !== item) return
  previewing?.abort()
  previewing = new AbortController()
  const { signal } = previewing
  try {
    await preview(picture, item, { signal, onProgress: () => {} })
  } catch (error) {
    if (!signal.aborted) log(`preview: ${messageOf(error)}`)
  }
}

/** Restores the visible part with two models. */
export async function compareModels(one: ModelChoice, other: ModelChoice): Promise<void> {
  const [picture, item] = [before.value, shownItem]
  if (!picture || !item || !engine || isComparing.value) return
  isComparing.value = true
  const events = { signal: new AbortController().signal, onProgress: () => {} }
  const part = previewPart(picture, one, other)
  try {
    const file = await fileOf(item)
    const left = await engine.preview(file, part, one, events)
    const right = await engine.preview(file, part, other, events)
    if (before.value !== picture) return
    endComparison()
    comparison.value = {
      left: { ...picture, overview: undefined, pieces: [...picture.pieces, ...left.pieces] },
      right,
      names: [one.id, other.id],
    }
  } catch (error) {
    log(`compare: ${messageOf(error)}`)
  } finally {
    isComparing.value = false
  }
}

export function endComparison(): void {
  const old = comparison.value
  comparison.value = undefined
  if (old) closeLayer(old.right)
}

/** Both layers as they are drawn, with what each is called. */
export const layers = computed(() => {
  const compared = comparison.value
  if (compared) return { before: compared.left, after: compared.right, strength: 1 }
  return { before: before.value, after: after.value, strength: settings.value.strength }
})
