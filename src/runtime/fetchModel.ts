// Fetches the files of a model by its name, or any weights by their address.

import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { readCheckpoint } from '../checkpoints/files.ts'
import { isOnnxFile, openOnnxFile } from '../checkpoints/onnxFiles.ts'
import { RestoreError } from '../core/errors.ts'
import { callback, checkOptions, type OptionRules, signal, text } from '../core/options.ts'
import { isAddress, parseAddress, safeNameOf } from '../downloads/addresses.ts'
import { type FetchedFile, type FetchFileOptions, fetchFile } from '../downloads/fetchFile.ts'
import { type Download, findDownload, pageOf, type RemoteFile } from '../registry/downloads.ts'
import { loadModel } from '../registry/loadModel.ts'
import { metricNetworks } from '../registry/metricNetworks.ts'
import { networkOf } from '../registry/networks.ts'
import { cardOptions, checkVariant } from './checkRequest.ts'
import type { OnProgress } from './jobs/progress.ts'

/** Options of {@link fetchModel}. */
export interface FetchOptions {
  /**
   * Where to take the files from: a mirror's address that ends in `/`, the address of the file, a folder, or a file.
   * @default the address the authors publish
   */
  readonly from?: string | undefined
  /** SHA-256 of a file that is named by its address, 64 hexadecimal digits. */
  readonly sha256?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Receives progress in bytes, where the server tells their number. */
  readonly onProgress?: OnProgress | undefined
  /** Receives sentences about what is waited for or tried again. */
  readonly onNote?: ((note: string) => void) | undefined
}

const fetchRules: OptionRules<FetchOptions> = {
  from: text,
  sha256: text,
  signal,
  onProgress: callback,
  onNote: callback,
}

/** Files of a fetched model. */
export interface FetchedModel {
  /** Name or address it was fetched by. */
  readonly name: string
  readonly files: readonly FetchedFile[]
}

/**
 * Fetches a model's files into the folder of fetched models, unless they are there and sound. Interrupted transfers are continued. Hashes are
 * checked; where none is published, a file must load as the network its name promises, and its hash is recorded.
 * `cards` and `licenses` tell under which license a model is published.
 *
 * @param name id of a card, `lpips`, `fid`, or an address https://…
 * @throws RestoreError 'usage' for unknown names, 'input' for sources that fail, 'checkpoint' for wrong bytes, 'output' for a full disk,
 * 'environment' while LIMPID_OFFLINE is set, 'aborted'
 * @example
 * await fetchModel('real-esrgan-x4plus', { onProgress: ({ done, total }) => console.log(done, total) })
 * const result = await restore('small.jpg', { model: 'real-esrgan-x4plus' })
 */
export async function fetchModel(name: string, options: FetchOptions = {}): Promise<FetchedModel> {
  checkOptions('fetchModel', options, fetchRules)
  const { files, download } = filesToFetch(name, options)
  const fetched: FetchedFile[] = []
  for (const file of files) {
    const fileOptions: FetchFileOptions = {
      from: options.from,
      signal: options.signal,
      onNote: options.onNote,
      onProgress: fetchProgress(options.onProgress),
      check: (path) => checkContent(path, { file, download, before: fetched.map((one) => one.path) }),
    }
    fetched.push(await fetchFile(file, fileOptions))
  }
  return { name, files: fetched }
}

/** Reports bytes; the pace is that of the bytes that came now, without those kept of an earlier run. */
function fetchProgress(onProgress: OnProgress | undefined) {
  let first: { readonly done: number; readonly ms: number } | undefined
  return (done: number, total: number | undefined): void => {
    if (total === undefined) return
    first ??= { done, ms: performance.now() }
    const came = done - first.done
    const secondsLeft = came > 0 ? ((performance.now() - first.ms) / 1000 / came) * (total - done) : undefined
    onProgress?.({ phase: 'fetch', done, total, secondsLeft })
  }
}

interface FilesToFetch {
  readonly files: readonly RemoteFile[]
  /** What is known by this name; undefined for addresses. */
  readonly download?: Download
}

/**
 * Files that a name or an address stands for.
 * @throws RestoreError 'usage' for unknown names, wrong hashes, and files that have no address
 */
export function filesToFetch(
  name: string,
  { sha256, from }: Pick<FetchOptions, 'sha256' | 'from'>,
): FilesToFetch {
  if (isAddress(name)) {
    if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256))
      throw new RestoreError('usage', `sha256: expected 64 hexadecimal digits, got ${sha256}`)
    const url = parseAddress(name)
    const prefix = createHash('sha256').update(url.href).digest('hex').slice(0, 8)
    return {
      files: [{ name: `${prefix}-${safeNameOf(url)}`, address: url.href, sha256: sha256?.toLowerCase() }],
    }
  }
  if (sha256 !== undefined)
    throw new RestoreError(
      'usage',
      `sha256: expected an address https://… to fetch, got the name ${name}, whose hash is known; leave it out`,
    )
  const download = findDownload(name)
  const { files } = download
  const missing = files.find(({ address }) => address === undefined)
  if (missing && from === undefined)
    throw new RestoreError(
      'usage',
      `${name}: its authors publish ${download.card?.checkpoint} in a shared drive, which ${pageOf(download)} links to; download it there, then \`limpid fetch ${name} --from FILE\` checks and keeps it`,
    )
  const isFolder = (one: string) =>
    isAddress(one) ? one.endsWith('/') : statSync(one, { throwIfNoEntry: false })?.isDirectory()
  if (files.length > 1 && from !== undefined && !isFolder(from))
    throw new RestoreError(
      'usage',
      `from: expected a folder of ${names(files)}, or its address, which ends in /, got ${from}`,
    )
  return { files, download }
}

function names(files: readonly RemoteFile[]): string {
  return files.map((file) => file.name).join(' and ')
}

/** Checks that a file loads whole, as what its name promises; `before` are the files of the same name that came first. */
function checkContent(path: string, { file, download, before }: Content): void {
  const { card } = download ?? {}
  if (!download && isOnnxFile(path)) {
    openOnnxFile(path)
    return
  }
  if (download && !card) {
    const found = metricNetworks([...before, path].map((one) => readCheckpoint(one)))
    if (Object.hasOwn(found, download.id)) return
    throw new RestoreError('checkpoint', `${file.name}: expected weights of ${download.id}, got others`)
  }
  // The second file of a model is its guide.
  const isMain = file === download?.files[0]
  const overrides = card && isMain ? cardOptions(card) : {}
  const model = loadModel(readCheckpoint(path), overrides)
  if (card && isMain) checkVariant({ weights: file.name, card, overrides }, model)
  else if (card && networkOf(model.id).roleKind !== 'guides')
    throw new RestoreError(
      'checkpoint',
      `${file.name}: expected the guide of ${card.id}, got weights of ${model.id}`,
    )
}

interface Content {
  readonly file: RemoteFile
  readonly download: Download | undefined
  readonly before: readonly string[]
}
