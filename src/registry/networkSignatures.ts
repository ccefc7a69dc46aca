// Which network a checkpoint belongs to, told by keys that no other network has.

import { RestoreError } from '../core/errors.ts'

export type ModelId =
  | 'restormer'
  | 'ipt'
  | 'dasr'
  | 'light'
  | 'light-diffusion'
  | 'conditional-unet'
  | 'conditional-nafnet'
  | 'latent-unet'
  | 'clip'
  | 'daclip'

const signatures: Readonly<Record<ModelId, readonly string[]>> = {
  restormer: [
    'patch_embed.proj.weight',
    'encoder_level1.0.attn.temperature',
    'latent.0.ffn.project_out.weight',
    'output.weight',
  ],
  ipt: [
    'head.0.0.weight',
    'tail.0.1.weight',
    'body.encoder.layers.0.self_attn.in_proj_weight',
    'sub_mean.weight',
  ],
  dasr: ['G.head.0.weight', 'G.compress.0.weight', 'G.tail.1.weight', 'E.encoder_q.E.0.weight'],
  'conditional-unet': [
    'init_conv.weight',
    'time_mlp.1.weight',
    'downs.0.0.block1.proj.weight',
    'mid_block1.block1.proj.weight',
  ],
  'conditional-nafnet': ['intro.weight', 'time_mlp.1.weight', 'encoders.0.0.mlp.1.weight', 'ending.weight'],
  daclip: ['clip.visual.conv1.weight', 'visual_control.conv1.weight', 'logit_scale'],
  clip: ['visual.conv1.weight', 'visual.positional_embedding', 'visual.proj', 'logit_scale'],
  'latent-unet': ['init_conv.weight', 'encoder.0.0.block1.proj.weight', 'latent_conv.weight'],
  'light-diffusion': ['trunk.intro.weight', 'stateIntro.weight', 'context.0.weight', 'modulations.0.weight'],
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
