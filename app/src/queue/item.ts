// A photo of the list.

import { type Signal, signal } from '@preact/signals'
import type { Found, Progress, Restored } from '../engine/engine.ts'

/** Where a photo's bytes come from. */
export type Source = File | FileSystemFileHandle

/** A finished file, and the settings it was made with. */
export interface Result {
  readonly file: Blob
  readonly name: string
  readonly model: string
  readonly device: string
  readonly seconds: number
  readonly notes: readonly string[]
  /** Whether nothing was wrong. */
  readonly isOriginal: boolean
  /** Of the settings, to tell when they have changed. */
  readonly restoredAs: string
  readonly writtenAs: string
}

export type ItemState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'working'; readonly progress: Progress | undefined }
  | { readonly kind: 'done'; readonly result: Result }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'canceled' }

export interface Item {
  readonly id: number
  readonly name: string
  /** Folder of the file inside the folder that was opened, such as 'holiday/'. */
  readonly folder: string
  readonly source: Source
  readonly state: Signal<ItemState>
  /** Address of a small picture, once the photo was decoded. */
  readonly thumbnail: Signal<string | undefined>
  /** Damage that was found, once somebody looked. */
  readonly found: Signal<readonly Found[] | undefined>
  /** Damage that stays as it is. */
  readonly never: Signal<readonly string[]>
  /** Damage that is treated in any case. */
  readonly wanted: Signal<readonly string[]>
  /** The result in full strength, for the few photos looked at last. */
  readonly restored: Signal<Restored | undefined>
}

let count = 0

export function createItem(source: Source, folder = ''): Item {
  return {
    id: ++count,
    name: source.name,
    folder,
    source,
    state: signal<ItemState>({ kind: 'waiting' }),
    thumbnail: signal(undefined),
    found: signal(undefined),
    never: signal<readonly string[]>([]),
    wanted: signal<readonly string[]>([]),
    restored: signal(undefined),
  }
}

export async function fileOf({ source }: Item): Promise<File> {
  return source instanceof File ? source : source.getFile()
}
