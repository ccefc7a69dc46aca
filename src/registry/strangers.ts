// What files look like that belong to no network here, by keys that only they have: chaiNNer-org/spandrel@b0c3eb2 for families of restorers,
// sczhou/CodeFormer@63e66f0 for one that it leaves out.

import type { StoredTensors } from '../models/networkDescriptor.ts'

/** Restorers by name, each with keys that all its files have. */
const restorers: Readonly<Record<string, readonly string[]>> = {
  Swin2SR: ['patch_embed.proj.weight', 'layers.0.residual_group.blocks.0.attn.logit_scale'],
  CRAFT: ['layers.0.residual_group.hf_blocks.0.attn.temperature'],
  DITN: ['sft.weight', 'UFONE.0.ITLs.0.attn.temperature'],
  GRL: ['norm_start.weight', 'layers.0.blocks.0.attn.window_attn.attn_transform.logit_scale'],
  SeemoRe: ['conv_1.weight', 'body.0.local_block.norm_1.weight'],
  'Real-CUGAN': ['unet1.conv1.conv.0.weight'],
  RCAN: ['body.0.body.0.body.0.weight', 'body.0.body.0.body.3.conv_du.0.weight'],
  'MM-RealSR': ['am_list.0.fc.0.weight', 'de_net.conv_first.0.weight'],
  KBNet: ['intro.weight', 'encoders.0.0.attgamma'],
  FFTformer: ['encoder_level1.0.ffn.fft'],
  Uformer: ['input_proj.proj.0.weight', 'encoderlayer_0.blocks.0.norm1.weight'],
  'HVI-CIDNet': ['HVE_block0.1.weight'],
  GFPGAN: ['toRGB.0.weight', 'stylegan_decoder.style_mlp.1.weight'],
  CodeFormer: ['position_emb', 'idx_pred_layer.1.weight'],
  RestoreFormer: ['quantize.embedding.weight', 'encoder.conv_in.weight', 'decoder.conv_out.weight'],
  LaMa: ['model.model.1.bn_l.running_mean'],
}

/** Other files, each with what its keys show; the first that matches is named. */
const others: readonly (readonly [looks: string, keys: RegExp])[] = [
  [
    'a LoRA, which changes a diffusion model',
    /\.lora_(up|down|A|B)\b|\.(hada_w1_a|lokr_w1)$|^lora_(unet|te)/,
  ],
  ['a ControlNet, which guides a diffusion model', /^control_model\.|^controlnet_cond_embedding\./],
  [
    'a Stable Diffusion checkpoint',
    /^model\.diffusion_model\.|^cond_stage_model\.|^(model\.)?joint_blocks\.0\./,
  ],
  ['a Flux checkpoint', /^(model\.)?double_blocks\.0\.img_attn\./],
  [
    'the network of a diffusion model',
    /^down_blocks\.0\.(resnets|attentions)\.0\.|^input_blocks\.0\.0\.weight$/,
  ],
  [
    'a VAE of a diffusion model',
    /^(first_stage_model\.)?(encoder\.(conv_in\.weight|down_blocks\.)|post_quant_conv\.)/,
  ],
  ['a text embedding of a diffusion model', /^(emb_params|string_to_param)/],
  ['a YOLO detector', /^model\.(\d+\.cv1\.conv\.weight|\d+\.m\.0\.weight|\d+\.dfl\.conv\.weight)$/],
  ['a language model', /^(model\.)?layers\.0\.self_attn\.q_proj\.weight$|^(bert|transformer\.h)\./],
  ['an image classifier (ResNet)', /^layer1\.0\.conv1\.weight$/],
]

/** What a file looks like. */
export interface Stranger {
  /** Whether its keys leave no doubt, even where those of a network here are among them. */
  readonly isRestorer: boolean
  readonly text: string
}

/** Describes what keys look like; undefined for keys that tell nothing. */
export function describeStranger(tensors: StoredTensors): Stranger | undefined {
  const restorer = Object.entries(restorers).find(([, keys]) => keys.every((key) => tensors.has(key)))?.[0]
  if (restorer !== undefined) {
    const advice = "an ONNX file of it runs, and it can be asked for in Limpid's issues"
    return {
      isRestorer: true,
      text: `they look like ${restorer}, a restorer that Limpid does not have: ${advice}`,
    }
  }
  const names = [...tensors.keys()]
  const other = others.find(([, keys]) => names.some((name) => keys.test(name)))?.[0]
  return other === undefined
    ? undefined
    : {
        isRestorer: false,
        text: `they look like ${other}, which restores no photo; fetch weights of a restorer`,
      }
}
