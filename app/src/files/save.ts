// Saves results: one, or all as a zip or into a folder.

import { fileSave } from 'browser-fs-access'
import { downloadZip } from 'client-zip'
import { messageOf } from '../message.ts'
import { notify } from '../notices.ts'
import type { Item } from '../queue/item.ts'
import { uniqueNames } from '../queue/names.ts'
import { currentResult, items } from '../queue/queue.ts'
import { settings } from '../settings.ts'
import { strings } from '../strings.ts'

interface FolderPicker {
  showDirectoryPicker?(options: { id: string; mode: 'readwrite' }): Promise<FileSystemDirectoryHandle>
}

/** Whether the browser can write into a folder. */
export const canSaveFolder = 'showDirectoryPicker' in globalThis

async function reported(action: () => Promise<number>): Promise<void> {
  try {
    const count = await action()
    notify(strings.value.saved(count))
  } catch (error) {
    // A dialog that was closed saves nothing, on purpose.
    if (error instanceof DOMException && error.name === 'AbortError') return
    notify(messageOf(error))
  }
}

export function saveItem(item: Item): Promise<void> {
  return reported(async () => {
    const result = await currentResult(item)
    if (!result) return 0
    const extension = `.${result.name.split('.').pop()}`
    await fileSave(result.file, { fileName: result.name, extensions: [extension], id: 'results' })
    return 1
  })
}

/** Names and files of all results, in folders as they came. */
async function* results(onFile: () => void) {
  const unique = uniqueNames()
  for (const item of items.value) {
    const result = await currentResult(item)
    if (!result) continue
    yield { name: unique(`${item.folder}${result.name}`), input: result.file, lastModified: new Date() }
    onFile()
  }
}

/** Saves a zip that is written while it is read: it is never whole in memory where the browser can write to a file. */
export function saveZip(): Promise<void> {
  return reported(async () => {
    let count = 0
    const zip = downloadZip(results(() => count++))
    await fileSave(zip, { fileName: 'restored.zip', extensions: ['.zip'], id: 'results' })
    return count
  })
}

export function saveFolder(): Promise<void> {
  return reported(async () => {
    const picker = globalThis as FolderPicker
    const root = await picker.showDirectoryPicker?.({ id: 'results', mode: 'readwrite' })
    let count = 0
    if (!root) return count
    for await (const { name, input } of results(() => count++)) await writeFile(root, name, input)
    return count
  })
}

async function writeFile(root: FileSystemDirectoryHandle, path: string, file: Blob): Promise<void> {
  const names = path.split('/')
  const name = names.pop() ?? path
  let folder = root
  for (const part of names) folder = await folder.getDirectoryHandle(part, { create: true })
  const handle = await folder.getFileHandle(await freeName(folder, name), { create: true })
  const writable = await handle.createWritable()
  await writable.write(file)
  await writable.close()
}

/** A name that the folder does not have yet: nothing is overwritten. */
async function freeName(folder: FileSystemDirectoryHandle, name: string): Promise<string> {
  const unique = uniqueNames()
  for (let candidate = unique(name); ; candidate = unique(name)) {
    try {
      await folder.getFileHandle(candidate)
    } catch {
      return candidate
    }
  }
}

/** Copies a result to the clipboard, which takes PNG alone. */
export async function copyItem(item: Item): Promise<void> {
  const restored = item.restored.value
  if (!restored) return
  const { strength, metadata } = settings.value
  const png = restored.encode({ type: 'image/png', quality: 100, strength, metadata })
  try {
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': png })])
    notify(strings.value.copied)
  } catch (error) {
    notify(messageOf(error))
  }
}
