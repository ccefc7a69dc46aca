// Fetches a model's files from the page's own origin, by the names that `limpid fetch` keeps them under.

import { RestoreError } from '../core/errors.ts'
import { anything, checkOptions, type OptionRules } from '../core/options.ts'
import { findDownload, type RemoteFile } from '../registry/downloads.ts'
import type { OnProgress } from '../runtime/jobs/progress.ts'
import { pictureRules } from '../runtime/tiledRestoration.ts'
import { fetchBytes, hashOf } from './fetchBytes.ts'
import { addressIn } from './store/weightsFiles.ts'

/** Options of {@link fetchModel}. */
export interface FetchModelOptions {
  /** Folder of the page's origin that holds the files. @default '/models/' */
  readonly folder?: string | URL | undefined
  readonly signal?: AbortSignal | undefined
  /** Receives progress in bytes, where the server sends their number. */
  readonly onProgress?: OnProgress | undefined
}

const rules: OptionRules<FetchModelOptions> = {
  folder: anything,
  signal: pictureRules.signal,
  onProgress: pictureRules.onProgress,
}

/** Files of a model, as {@link createRestorer} takes them. */
export interface ModelFiles {
  readonly weights: Uint8Array<ArrayBuffer>
  /** Second network, of models that need one. */
  readonly guide?: Uint8Array<ArrayBuffer>
}

/**
 * Fetches a model's files from the page's own origin: a page shows its visitors no other, and asks them for no license. `limpid fetch` brings
 * the files to the folder that the page is served from. Hashes are checked where they are known.
 * @throws RestoreError 'usage' for unknown names and other origins, 'input' for files that cannot be fetched, 'checkpoint' for wrong bytes,
 * 'aborted'
 * @example
 * const model = 'real-esrgan-general-x4'
 * const restorer = await createRestorer({ runtime: ort, model, ...(await fetchModel(model)) })
 */
export async function fetchModel(name: string, options: FetchModelOptions = {}): Promise<ModelFiles> {
  checkOptions('fetchModel', options, rules)
  const [main, second] = findDownload(name).files
  if (!main) throw new TypeError(`expected files of ${name}`)
  const weights = await fetchFile(main, options)
  return second ? { weights, guide: await fetchFile(second, options) } : { weights }
}

async function fetchFile(file: RemoteFile, options: FetchModelOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { folder = '/models/', ...others } = options
  const url = addressIn(folder, file.name, 'folder')
  const bytes = await fetchBytes(url, file.name, { ...others, isSameOrigin: true })
  const sha256 = file.sha256 === undefined ? undefined : await hashOf(bytes)
  if (sha256 === undefined || sha256.startsWith(file.sha256 ?? '')) return bytes
  throw new RestoreError(
    'checkpoint',
    `${file.name}: expected a file of sha256 ${file.sha256}, got ${sha256}; put the right file at ${url}`,
  )
}
