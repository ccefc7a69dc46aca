// Remembers the list for the next visit, where the browser lets pages keep file handles.

import { effect, signal } from '@preact/signals'
import { del, get, set } from 'idb-keyval'
import { messageOf } from '../message.ts'
import { log } from '../notices.ts'
import { createItem } from './item.ts'
import { addItems, items } from './queue.ts'

interface StoredItem {
  readonly handle: FileSystemFileHandle
  readonly folder: string
}

/** Handles ask before they are read in a later visit. */
interface AskingHandle extends FileSystemFileHandle {
  requestPermission?(options: { mode: 'read' }): Promise<PermissionState>
}

const key = 'list'

/** The list of the last visit, until it is opened or forgotten. */
export const lastList = signal<readonly StoredItem[]>([])

/** Reads the last list, then stores each change of the new one. */
export async function rememberList(): Promise<void> {
  try {
    lastList.value = (await get<readonly StoredItem[]>(key)) ?? []
  } catch (error) {
    // Private windows refuse storage.
    log(`the list cannot be kept (${messageOf(error)})`)
    return
  }
  effect(() => {
    const stored = items.value.flatMap(({ source, folder }) =>
      source instanceof File ? [] : [{ handle: source, folder }],
    )
    // An empty list replaces nothing: the last one may still be opened.
    if (stored.length > 0) void store(stored)
  })
}

async function store(list: readonly StoredItem[]): Promise<void> {
  try {
    await set(key, list)
  } catch (error) {
    log(`the list cannot be kept (${messageOf(error)})`)
  }
}

/** Opens the last list; the browser asks for permission. */
export async function openLastList(): Promise<void> {
  const list = lastList.value
  lastList.value = []
  const [first] = list
  // One permission usually covers the rest; those it does not fail by themselves.
  await (first?.handle as AskingHandle | undefined)?.requestPermission?.({ mode: 'read' })
  addItems(list.map(({ handle, folder }) => createItem(handle, folder)))
}

export async function forgetLastList(): Promise<void> {
  lastList.value = []
  await del(key)
}
