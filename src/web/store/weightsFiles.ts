// Which files a model needs, and where a page serves them: the package's weights in one folder, fetched ones in another.

import { RestoreError } from '../../core/errors.ts'
import { cards, findCard, isOwn, type ModelCard } from '../../registry/cards.ts'
import { findDownload } from '../../registry/downloads.ts'

/** A file that a page serves. */
export interface WeightsFile {
  readonly name: string
  readonly url: string
  /** Undefined where only the server knows it. */
  readonly sizeBytes?: number | undefined
  /** SHA-256, or its first digits; files without one are not kept. */
  readonly sha256?: string | undefined
}

/** Folders of the page's origin that hold weights. */
export interface WeightsFolders {
  /** The package's own, copied from `limpid/weights`. @default '/weights/' */
  readonly weightsFolder?: string | URL | undefined
  /** Models that `limpid fetch` fetched. @default '/models/' */
  readonly modelsFolder?: string | URL | undefined
}

/** Address of the page, or of the worker. */
declare const location: { readonly href: string; readonly origin: string }

/** Lists the files of a model: its weights, and those of a guide if it has one. @throws RestoreError 'usage' */
export function weightsFiles(
  model: string,
  { weightsFolder = '/weights/', modelsFolder = '/models/' }: WeightsFolders,
): readonly [WeightsFile, ...WeightsFile[]] {
  const card = findCard(model)
  if (isOwn(card)) {
    const guide = card.guide === undefined ? [] : [ownFile(findCard(card.guide), weightsFolder)]
    return [ownFile(card, weightsFolder), ...guide]
  }
  const [first, ...others] = findDownload(model).files.map((file) => ({
    ...file,
    url: addressIn(modelsFolder, file.name, 'modelsFolder'),
  }))
  if (first) return [first, ...others]
  throw new RestoreError('usage', `${model}: expected a model with files, got one without; pass its weights`)
}

function ownFile({ checkpoint, sha256, sizeBytes }: ModelCard, folder: string | URL): WeightsFile {
  return { name: checkpoint, url: addressIn(folder, checkpoint, 'weightsFolder'), sha256, sizeBytes }
}

/** Whether the package has weights of a model. */
export function isPackaged(model: string): boolean {
  const card = cards.find(({ id }) => id === model)
  return card !== undefined && isOwn(card) && card.sha256 !== undefined
}

/** Address of a file. @throws RestoreError 'usage' for another origin, of which a page fetches nothing */
export function addressIn(folder: string | URL, name: string, option: string): string {
  const base = new URL(folder, location.href)
  const url = new URL(name, base.href.endsWith('/') ? base : `${base.href}/`)
  if (url.origin === location.origin) return url.href
  throw new RestoreError(
    'usage',
    `${option}: expected one of the page's origin ${location.origin}, got ${base.href}; serve the files with the page`,
  )
}
