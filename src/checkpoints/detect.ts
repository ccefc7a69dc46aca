// Which network a checkpoint belongs to, told by keys that no other network has.

import { RestoreError } from '../core/errors.ts'

export type ModelId = 'restormer' | 'light'

const signatures: Readonly<Record<ModelId, readonly string[]>> = {
  restormer: [
    'patch_embed.proj.weight',
    'encoder_level1.0.attn.temperature',
    'latent.0.ffn.project_out.weight',
    'output.weight',
  ],
  light: ['intro.weight', 'encoders.0.0.norm1.body.weight', 'middle.0.beta', 'ending.weight'],
}

const modelIds = Object.keys(signatures) as readonly ModelId[]

/** The network whose signature keys are all there; an error names the networks that are known and some keys that came. */
export function detectModel(keys: Iterable<string>): ModelId {
  const present = new Set(keys)
  const found = modelIds.find((id) => signatures[id].every((key) => present.has(key)))
  if (found) return found
  const sample = [...present].slice(0, 3).join(', ')
  throw new RestoreError(
    'checkpoint',
    `weights: expected a checkpoint of ${modelIds.join(', ')}, got keys of another network (${sample}, …)`,
  )
}
