// The second network of those that sample: the DA-CLIP that tells a universal network what it sees, or the compression to the latents
// that a network restores.

import { existsSync } from 'node:fs'
import { readCheckpoint } from '../../checkpoints/files.ts'
import { RestoreError } from '../../core/errors.ts'
import { builders, recognize } from '../../registry/builders.ts'
import type { ModelCard } from '../../registry/cards.ts'
import { packagedWeights } from '../models.ts'
import type { Guide } from '../session/openNetwork.ts'
import type { SamplingNetwork } from './sampling.ts'

interface Need {
  readonly kind: Guide['kind']
  /** Features of its embeddings, or channels of its latents. */
  readonly width: number
  readonly words: string
}

/** What a network needs beside it, if anything. */
function needOf({ model, options }: SamplingNetwork): Need | undefined {
  const { takes, channels } = builders[model]
  const taken = takes?.(options) ?? []
  if (taken.includes('content') || taken.includes('degradation')) {
    const width = Number(Reflect.get(options, 'contextWidth'))
    return { kind: 'daclip', width, words: `the DA-CLIP of ${width} features that it was trained with` }
  }
  const { input: width } = channels(options)
  if (width <= 3) return undefined
  return {
    kind: 'latent-unet',
    width,
    words: `the compression to ${width} channels that it was trained with`,
  }
}

export interface GuideRequest {
  /** What errors call the network. */
  readonly weights: string
  readonly card: ModelCard | undefined
  /** A file of the caller's. */
  readonly guide: string | undefined
}

/** The file of the guide: the caller's, or the package's own; refused where it is missing, needless or another network's. */
export function findGuide(network: SamplingNetwork, request: GuideRequest): string | undefined {
  const { weights, card, guide } = request
  const need = needOf(network)
  if (!need) {
    if (guide === undefined) return undefined
    const wanted = `expected none, as ${weights} (${network.model}) needs none`
    throw new RestoreError('usage', `guide: ${wanted}, got ${guide}; leave it out`)
  }
  const packaged = card?.guide === undefined ? undefined : packagedWeights(card.guide)
  const file = guide ?? (packaged !== undefined && existsSync(packaged) ? packaged : undefined)
  if (file === undefined) {
    const advice = card?.guide === undefined ? '' : `; give the file ${card.guide}`
    throw new RestoreError('usage', `${weights}: expected --guide FILE, ${need.words}, got none${advice}`)
  }
  checkGuide(file, weights, need)
  return file
}

function checkGuide(file: string, weights: string, { kind, width, words }: Need): void {
  const { id, options } = recognize(readCheckpoint(file))
  if (id !== kind)
    throw new RestoreError(
      'usage',
      `guide: expected weights of ${kind} beside ${weights}, ${words}, got ${file} of ${id}`,
    )
  const found = Reflect.get(options, kind === 'daclip' ? 'features' : 'latentChannels')
  if (found === width) return
  throw new RestoreError(
    'usage',
    `guide: expected ${words} beside ${weights}, got ${file}, which has ${found}; use the file that belongs to these weights`,
  )
}
