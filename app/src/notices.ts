// What the app tells in passing, and its log.

import { signal } from '@preact/signals'

export interface Notice {
  readonly id: number
  readonly text: string
  readonly actions: readonly { readonly label: string; readonly run: () => void }[]
}

/** How long a notice stays; those with actions stay until they are answered or replaced. */
const shownMs = 6000

let count = 0

export const notice = signal<Notice | undefined>(undefined)

/** Shows a notice in place of the one before. */
export function notify(text: string, actions: Notice['actions'] = []): void {
  const id = ++count
  notice.value = { id, text, actions }
  log(text)
  setTimeout(() => dismiss(id), actions.length > 0 ? 3 * shownMs : shownMs)
}

export function dismiss(id: number): void {
  if (notice.value?.id === id) notice.value = undefined
}

/** Read out by screen readers. */
export const announcement = signal('')

export const logLines = signal<readonly string[]>([])

const keptLines = 500

export function log(line: string): void {
  const time = new Date().toISOString().slice(11, 19)
  logLines.value = [...logLines.value.slice(1 - keptLines), `${time} ${line}`]
}
