// The list of photos, and what restores them one after another.

import { batch, computed, signal } from '@preact/signals'
import type { Engine, ModelChoice, Restored, RunEvents } from '../engine/engine.ts'
import { canLook, choiceOf } from '../engine/models.ts'
import { recordPace } from '../engine/pace.ts'
import { messageOf } from '../message.ts'
import { announcement, log, notify } from '../notices.ts'
import { type Settings, settings } from '../settings.ts'
import { strings } from '../strings.ts'
import type { Piece } from '../viewer/layers.ts'
import { createItem, fileOf, type Item, type Result, type Source } from './item.ts'
import { outputName, outputType } from './names.ts'
import { thumbnailOf } from './thumbnail.ts'

export const items = signal<readonly Item[]>([])
export const selectedId = signal<number | undefined>(undefined)
export const selected = computed(() => items.value.find(({ id }) => id === selectedId.value))

/** A model of one's own, in place of those of the package. */
export const ownModel = signal<File | undefined>(undefined)

/** Results kept in full strength, so that settings apply at once. */
const keptResults = 3

/** Seconds that finished photos took, for the time left. */
const pace = signal<{ readonly seconds: number; readonly count: number }>({ seconds: 0, count: 0 })

interface Work {
  readonly item: Item
  readonly controller: AbortController
}

const current = signal<Work | undefined>(undefined)
export const isBusy = computed(() => current.value !== undefined)

let engine: Engine | undefined
/** Called before a photo is restored: shows a part of it first. */
let beforeRestoring: ((item: Item, events: RunEvents) => Promise<void>) | undefined
/** Called with parts of a photo's result. */
let showPiece: ((item: Item, piece: Piece) => void) | undefined

export function startQueue(parts: {
  readonly engine: Engine
  readonly beforeRestoring: (item: Item, events: RunEvents) => Promise<void>
  readonly showPiece: (item: Item, piece: Piece) => void
}): void {
  engine = parts.engine
  beforeRestoring = parts.beforeRestoring
  showPiece = parts.showPiece
  void pump()
}

export function modelChoice({ mode, task, model, scale }: Settings, item: Item | undefined): ModelChoice {
  if (mode === 'auto') {
    if (!canLook.value) return choiceOf('light-photo', 'photo', 1)
    return { id: 'auto', never: named(item?.never.value), damage: named(item?.wanted.value) }
  }
  const file = ownModel.value
  return file && model === file.name ? { id: file.name, file } : choiceOf(model, task, scale)
}

/** A list with something in it. */
function named(list: readonly string[] | undefined): readonly string[] | undefined {
  return list && list.length > 0 ? list : undefined
}

/** Identifies how a photo is restored, and how the result is written. */
function settingsKeys(chosen: Settings, item: Item): Pick<Result, 'restoredAs' | 'writtenAs'> {
  const { id, task, scale, never, damage } = modelChoice(chosen, item)
  const { strength, format, quality, metadata } = chosen
  return {
    restoredAs: JSON.stringify([id, task, scale, never, damage]),
    writtenAs: JSON.stringify([strength, format, quality, metadata]),
  }
}

/** Whether a finished photo was restored with other settings than those of now. */
export function isOutdated(item: Item): boolean {
  const now = item.state.value
  return now.kind === 'done' && now.result.restoredAs !== settingsKeys(settings.value, item).restoredAs
}

export function addItems(added: readonly Item[]): void {
  if (added.length === 0) return
  batch(() => {
    items.value = [...items.value, ...added]
    if (selected.value === undefined) selectedId.value = added[0]?.id
  })
  void pump()
}

export function addSources(sources: readonly { readonly source: Source; readonly folder?: string }[]): void {
  addItems(sources.map(({ source, folder }) => createItem(source, folder)))
}

export function removeItem(item: Item): void {
  const before = items.value
  const index = before.indexOf(item)
  cancelItem(item)
  const left = before.filter((one) => one !== item)
  batch(() => {
    items.value = left
    if (selectedId.value === item.id) selectedId.value = left[Math.min(index, left.length - 1)]?.id
  })
  const { removed, undo } = strings.value
  const putBack = () => {
    items.value = [...items.value.slice(0, index), item, ...items.value.slice(index)]
    selectedId.value = item.id
    void pump()
  }
  notify(removed(item.name), [{ label: undo, run: putBack }])
}

export function clearItems(): void {
  current.value?.controller.abort()
  for (const { thumbnail } of items.value) if (thumbnail.value) URL.revokeObjectURL(thumbnail.value)
  batch(() => {
    items.value = []
    selectedId.value = undefined
  })
}

export function cancelItem(item: Item): void {
  if (current.value?.item === item) current.value.controller.abort()
  else if (item.state.value.kind === 'waiting') item.state.value = { kind: 'canceled' }
}

/** Restores a photo again, or for the first time after a failure. */
export function retryItem(item: Item): void {
  if (current.value?.item === item) return
  item.restored.value = undefined
  item.state.value = { kind: 'waiting' }
  void pump()
}

/** Starts the photo at hand once more, because settings have changed. */
export function restartCurrent(): void {
  current.value?.controller.abort('restart')
}

function nextItem(): Item | undefined {
  const isWaiting = (item: Item | undefined) => item?.state.value.kind === 'waiting'
  return isWaiting(selected.value) ? selected.value : items.value.find(isWaiting)
}

async function pump(): Promise<void> {
  if (current.value || !engine) return
  const item = nextItem()
  if (!item) return
  const controller = new AbortController()
  current.value = { item, controller }
  item.state.value = { kind: 'working', progress: undefined }
  const started = performance.now()
  try {
    const result = await restoreItem(item, engine, controller.signal)
    const seconds = (performance.now() - started) / 1000
    pace.value = { seconds: pace.value.seconds + seconds, count: pace.value.count + 1 }
    item.state.value = { kind: 'done', result }
    announcement.value = strings.value.photo(item.name, strings.value.done)
    log(`${item.name}: ${result.model} on ${result.device}, ${seconds.toFixed(1)} s`)
    for (const note of result.notes) log(`${item.name}: ${note}`)
  } catch (error) {
    const { signal } = controller
    if (signal.aborted) item.state.value = { kind: signal.reason === 'restart' ? 'waiting' : 'canceled' }
    else {
      const message = messageOf(error)
      item.state.value = { kind: 'failed', message }
      announcement.value = strings.value.photo(item.name, message)
      log(`${item.name}: ${message}`)
    }
  }
  current.value = undefined
  void pump()
}

async function restoreItem(item: Item, running: Engine, signal: AbortSignal): Promise<Result> {
  const onProgress: RunEvents['onProgress'] = (progress) => {
    if (!signal.aborted) item.state.value = { kind: 'working', progress }
  }
  const onPiece = (piece: Piece) => {
    if (signal.aborted) piece.bitmap.close()
    else showPiece?.(item, piece)
  }
  const events = { signal, onProgress, onPiece }
  await beforeRestoring?.(item, events)
  signal.throwIfAborted()
  const file = await fileOf(item)
  const { restoredAs } = settingsKeys(settings.value, item)
  const choice = modelChoice(settings.value, item)
  const restored = await running.restore(file, item.name, choice, events)
  signal.throwIfAborted()
  item.found.value = restored.found ?? item.found.value
  recordPace(restored.model, restored.seconds, restored.width * restored.height)
  keep(item, restored)
  const result = await writeResult(item, restored, restoredAs)
  item.thumbnail.value ??= await thumbnailOf(result.file)
  return result
}

/** Keeps a result in full strength, and drops the oldest of those kept. */
function keep(item: Item, restored: Restored): void {
  item.restored.value = restored
  const kept = items.value.filter((one) => one.restored.value !== undefined && one !== item)
  const isDropped = (one: Item) => one !== selected.value
  for (const one of kept.filter(isDropped).slice(0, Math.max(kept.length + 1 - keptResults, 0)))
    one.restored.value = undefined
}

async function writeResult(item: Item, restored: Restored, restoredAs: string): Promise<Result> {
  const { strength, format, quality, metadata } = settings.value
  const { writtenAs } = settingsKeys(settings.value, item)
  const { type: inputType } = await fileOf(item)
  const type = outputType(format, inputType)
  const file = await restored.encode({ type, quality, strength, metadata })
  const { model, device, seconds, notes, isOriginal } = restored
  const facts = { model, device, seconds, notes, isOriginal }
  return { file, name: outputName(item.name, type), ...facts, restoredAs, writtenAs }
}

/** The finished file of a photo, written with the settings of now where its result is still there. */
export async function currentResult(item: Item): Promise<Result | undefined> {
  const state = item.state.value
  if (state.kind !== 'done') return undefined
  const restored = item.restored.value
  if (!restored || state.result.writtenAs === settingsKeys(settings.value, item).writtenAs)
    return state.result
  const result = await writeResult(item, restored, state.result.restoredAs)
  item.state.value = { kind: 'done', result }
  return result
}

const count = (kind: string) => items.value.filter(({ state }) => state.value.kind === kind).length

export const doneCount = computed(() => count('done'))
export const hasWorkUndone = computed(() => isBusy.value || count('waiting') > 0)

/** Seconds until all photos are done, once one of this visit is; undefined before. */
export const secondsLeft = computed(() => {
  const { seconds, count: finished } = pace.value
  const waiting = count('waiting') + (isBusy.value ? 1 : 0)
  return finished > 0 && waiting > 0 ? (seconds / finished) * waiting : undefined
})
