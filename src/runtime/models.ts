// Weights by the id of a model: files of the package, or the caller's own.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RestoreError } from '../core/errors.ts'
import { findCard } from '../registry/builders.ts'
import type { ModelCard } from '../registry/cards.ts'

export interface ModelRequest {
  /** Id of a card. */
  readonly model?: string | undefined
  /** A checkpoint in place of the package's own. */
  readonly weights?: string | undefined
}

export interface FoundModel {
  readonly card: ModelCard | undefined
  readonly weights: string
}

/** The folder of the package, from the sources and from the build. */
function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

/** Where the package keeps the weights of a card. */
export function packagedWeights(id: string): string {
  return join(packageFolder(), 'weights', `${id}.safetensors`)
}

/** The card and the weights to open; without weights of its own, a model needs the caller's. */
export function findModel({ model, weights }: ModelRequest): FoundModel {
  if (model === undefined && weights === undefined) {
    throw new RestoreError('usage', 'restore: expected --model ID or --weights FILE, got neither')
  }
  const card = model === undefined ? undefined : findCard(model)
  if (weights !== undefined) return { card, weights }
  const packaged = packagedWeights(model ?? '')
  if (existsSync(packaged)) return { card, weights: packaged }
  throw new RestoreError(
    'usage',
    `${model}: expected --weights FILE with the official file ${card?.checkpoint}; the package has no weights of this model`,
  )
}
