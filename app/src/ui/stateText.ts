// The state of a photo in words.

import type { Progress } from '../engine/engine.ts'
import type { Item } from '../queue/item.ts'
import { isOutdated, secondsLeft } from '../queue/queue.ts'
import { strings } from '../strings.ts'
import { formatSeconds, formatShare } from './format.ts'

export function stateText(item: Item): string {
  const words = strings.value
  const state = item.state.value
  if (state.kind === 'working') return progressText(state.progress)
  if (state.kind === 'failed') return state.message
  if (state.kind === 'done')
    return isOutdated(item) ? words.outdated : doneText(item, state.result.isOriginal)
  return state.kind === 'waiting' ? words.waiting : words.canceled
}

function doneText(item: Item, isOriginal: boolean): string {
  const words = strings.value
  if (!isOriginal) return words.done
  return item.found.value?.length ? words.leftAsIs : words.untouched
}

function progressText(progress: Progress | undefined): string {
  const words = strings.value
  if (!progress) return words.opening
  const { phase, done, total, secondsLeft: left } = progress
  if (phase === 'send') return words.sending
  if (phase === 'wait') return words.inServerQueue
  if (phase === 'fetch') return words.fetching(formatShare(done / total))
  if (phase === 'open') return words.opening
  if (phase === 'read') return words.reading
  const text = words.restoring(formatShare(done / total))
  return left !== undefined && Number.isFinite(left) && left > 1
    ? `${text}, ${words.left(formatSeconds(left))}`
    : text
}

/** Share of the work done on a photo, 0..1; undefined where it is not known. */
export function shareOf(item: Item): number | undefined {
  const state = item.state.value
  if (state.kind !== 'working' || !state.progress) return undefined
  const { phase, done, total } = state.progress
  return phase === 'restore' || phase === 'fetch' ? done / total : undefined
}

export function queueTimeText(): string | undefined {
  const left = secondsLeft.value
  return left === undefined ? undefined : strings.value.left(formatSeconds(left))
}
