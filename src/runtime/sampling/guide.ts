// The second network of those that sample: the DA-CLIP that tells a universal network what it sees, or the compression to the latents
// that a network restores.

import type { Checkpoint } from '../../checkpoints/checkpoint.ts'
import { RestoreError } from '../../core/errors.ts'
import { builders, recognize } from '../../registry/networks.ts'
import type { Guide } from '../session/networkSessions.ts'
import type { SamplingNetwork } from './samplingPlan.ts'

/** What a network needs beside it. */
export interface GuideNeed {
  readonly kind: Guide['kind']
  /** Features of its embeddings, or channels of its latents. */
  readonly width: number
  readonly words: string
}

/** What a network needs beside it, if anything. */
export function guideNeed({ model, options }: SamplingNetwork): GuideNeed | undefined {
  const { inputNames, channels } = builders[model]
  const taken = inputNames(options)
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

/** Files of two networks, by the names that errors give them. */
interface Names {
  readonly weights: string
  readonly guide: string
}

/** Refuses a guide where none is needed. */
export function refuseGuide({ model }: SamplingNetwork, { weights, guide }: Names): never {
  const wanted = `expected none, as ${weights} (${model}) needs none`
  throw new RestoreError('usage', `guide: ${wanted}, got ${guide}; leave it out`)
}

/** Refuses another network's guide. */
export function checkGuide(
  checkpoint: Checkpoint,
  { kind, width, words }: GuideNeed,
  { weights, guide }: Names,
): void {
  const { id, options } = recognize(checkpoint)
  if (id !== kind)
    throw new RestoreError(
      'usage',
      `guide: expected weights of ${kind} beside ${weights}, ${words}, got ${guide} of ${id}`,
    )
  const found = Reflect.get(options, kind === 'daclip' ? 'features' : 'latentChannels')
  if (found === width) return
  throw new RestoreError(
    'usage',
    `guide: expected ${words} beside ${weights}, got ${guide}, which has ${found}; use the file that belongs to these weights`,
  )
}
