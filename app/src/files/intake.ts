// Photos that come in: dropped, pasted, opened or shared.

import { directoryOpen, type FileWithHandle, fileOpen } from 'browser-fs-access'
import { notify } from '../notices.ts'
import type { Source } from '../queue/item.ts'
import { addSources, ownModel } from '../queue/queue.ts'
import { change } from '../settings.ts'
import { strings } from '../strings.ts'

interface Incoming {
  readonly source: Source
  readonly folder?: string
}

const photoName = /\.(?:jpe?g|jfif|png|webp|avif|gif|bmp|heic|heif|tiff?|jxl)$/i
const modelName = /\.(?:safetensors|pth|pt|ckpt|onnx)$/i

/** What the file dialogs offer. */
const photoExtensions = [
  ...['.jpg', '.jpeg', '.png', '.webp', '.avif', '.gif', '.bmp', '.heic', '.heif', '.tif', '.tiff', '.jxl'],
]
const modelExtensions = ['.safetensors', '.pth', '.pt', '.ckpt', '.onnx']

/** Takes photos and models; tells how many files are neither. */
function take(incoming: readonly Incoming[]): void {
  const models = incoming.filter(({ source }) => modelName.test(source.name))
  const photos = incoming.filter(({ source }) => isPhoto(source))
  const others = incoming.length - models.length - photos.length
  const [model] = models
  if (model?.source instanceof File) useModel(model.source)
  else if (model) void (model.source as FileSystemFileHandle).getFile().then(useModel)
  addSources(photos)
  if (others > 0) notify(strings.value.unreadable(others))
}

function isPhoto(source: Source): boolean {
  return photoName.test(source.name) || (source instanceof File && source.type.startsWith('image/'))
}

function useModel(file: File): void {
  ownModel.value = file
  change({ mode: 'hand', model: file.name })
  notify(strings.value.modelOpened(file.name))
}

const withHandle = (file: FileWithHandle): Source => file.handle ?? file

/** Runs a file dialog; closing it without a choice is no failure. */
async function chosen<T>(dialog: Promise<T>): Promise<T | undefined> {
  try {
    return await dialog
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined
    throw error
  }
}

export async function openPhotos(): Promise<void> {
  const files = await chosen(
    fileOpen({ multiple: true, mimeTypes: ['image/*'], extensions: photoExtensions, id: 'photos' }),
  )
  take((files ?? []).map((file) => ({ source: withHandle(file) })))
}

export async function openFolder(): Promise<void> {
  const files = await chosen(directoryOpen({ recursive: true, id: 'photos' }))
  const incoming = (files ?? []).flatMap((file) => {
    const folder = file.webkitRelativePath.slice(0, -file.name.length)
    return photoName.test(file.name) ? [{ source: withHandle(file), folder }] : []
  })
  take(incoming.toSorted((a, b) => collator.compare(a.folder + a.source.name, b.folder + b.source.name)))
}

const collator = new Intl.Collator(undefined, { numeric: true })

export async function openModel(): Promise<void> {
  const file = await chosen(fileOpen({ extensions: modelExtensions, id: 'models' }))
  if (file) take([{ source: file }])
}

/** A demo is fetched from the page's own origin. */
export async function openDemo(name: string): Promise<void> {
  const response = await fetch(`demos/${name}.jpg`)
  if (!response.ok) throw new Error(`demos/${name}.jpg: HTTP status ${response.status}`)
  const file = new File([await response.blob()], `${name}.jpg`, { type: 'image/jpeg' })
  take([{ source: file }])
}

/** Handles of dropped items, which Chromium offers. */
interface DroppedItem extends DataTransferItem {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>
}

/** Files and folders that were dropped. Must be called before the event is over. */
export async function takeDropped({ items }: DataTransfer): Promise<void> {
  const entries = [...items]
    .filter(({ kind }) => kind === 'file')
    .map((item) => ({
      handle: (item as DroppedItem).getAsFileSystemHandle?.(),
      entry: item.webkitGetAsEntry(),
      file: item.getAsFile(),
    }))
  const found: Incoming[] = []
  for (const { handle, entry, file } of entries) {
    const opened = await handle?.catch(() => null)
    if (opened) found.push(...(await filesOfHandle(opened)))
    else if (entry?.isDirectory) found.push(...(await filesOfEntry(entry as FileSystemDirectoryEntry)))
    else if (file) found.push({ source: file })
  }
  take(found)
}

async function filesOfHandle(handle: FileSystemHandle, folder = ''): Promise<readonly Incoming[]> {
  if (handle.kind === 'file') {
    const file = handle as FileSystemFileHandle
    return [{ source: file, folder }]
  }
  const found: Incoming[] = []
  for await (const child of (handle as FileSystemDirectoryHandle).values()) {
    const isWanted = child.kind === 'directory' || photoName.test(child.name)
    if (isWanted) found.push(...(await filesOfHandle(child, `${folder}${handle.name}/`)))
  }
  return found.toSorted((a, b) => collator.compare(a.source.name, b.source.name))
}

async function filesOfEntry(entry: FileSystemDirectoryEntry): Promise<readonly Incoming[]> {
  const reader = entry.createReader()
  const found: Incoming[] = []
  const next = () => new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
  // Each call gives some of the entries, and the last one none.
  for (let entries = await next(); entries.length > 0; entries = await next()) {
    for (const child of entries) {
      if (child.isDirectory) found.push(...(await filesOfEntry(child as FileSystemDirectoryEntry)))
      else if (photoName.test(child.name)) {
        const source = await new Promise<File>((resolve, reject) =>
          (child as FileSystemFileEntry).file(resolve, reject),
        )
        found.push({ source, folder: `${entry.fullPath.slice(1)}/` })
      }
    }
  }
  return found
}

/** Pictures on the clipboard. */
export function takePasted({ files }: DataTransfer): void {
  take([...files].map((source) => ({ source })))
}

/** Cache in which the service worker leaves what was shared to the app. */
const sharedCache = 'limpid-shared'

/** Photos shared from another app, once after the page was opened for them. */
export async function takeShared(): Promise<void> {
  const url = new URL(location.href)
  if (!url.searchParams.has('shared')) return
  url.searchParams.delete('shared')
  history.replaceState(null, '', url)
  const cache = await caches.open(sharedCache)
  const incoming: Incoming[] = []
  for (const request of await cache.keys()) {
    const response = await cache.match(request)
    const name = decodeURIComponent(new URL(request.url).pathname.split('/').pop() ?? 'photo')
    if (response) incoming.push({ source: new File([await response.blob()], name, typeOf(response)) })
    await cache.delete(request)
  }
  if (incoming.length === 0) notify(strings.value.nothingShared)
  take(incoming)
}

function typeOf({ headers }: Response): FilePropertyBag {
  return { type: headers.get('content-type') ?? '' }
}
