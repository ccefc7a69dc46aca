// Converts CLIP checkpoints to the layout of OpenAI and OpenCLIP. Hugging Face's transformers names and
// splits tensors differently, and OpenAI's TorchScript files contain more than weights.

import { concat } from '../core/bytes.ts'
import { dtypeBytes, float32Data } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import { antialiasedTaps } from '../core/resample.ts'
import { type Checkpoint, loadTensor, type StoredTensor } from './checkpoint.ts'
import { toFloat32 } from './convert.ts'

type Tensors = ReadonlyMap<string, StoredTensor>

/**
 * Keys in OpenAI's files besides the weights. The first marks these files, whose
 * networks have another activation.
 */
export const openAiExtras = ['input_resolution', 'context_length', 'vocab_size'] as const

const scalar: StoredTensor = { dtype: 'int64', shape: [], read: () => new Uint8Array(8) }

/** Returns the tensors under OpenCLIP's keys; those of other networks unchanged. */
export function clipTensors({ tensors, container }: Checkpoint): Tensors {
  if (tensors.has('vision_model.embeddings.patch_embedding.weight')) return fromHuggingFace(tensors)
  if (container !== 'torchscript' || !tensors.has('visual.conv1.weight')) return tensors
  // There, every block has its attention mask as an attribute; it is not a weight.
  const weights = [...tensors].filter(([key]) => !key.endsWith('.attn_mask'))
  return new Map([...weights, [openAiExtras[0], tensors.get(openAiExtras[0]) ?? scalar]])
}

/**
 * Converts transformers' CLIPModel. Its files do not contain the activation; the
 * default is OpenAI's, so they are marked as such.
 */
function fromHuggingFace(tensors: Tensors): Tensors {
  const found = new Map<string, StoredTensor>([[openAiExtras[0], scalar]])
  const take = (key: string): StoredTensor => {
    const tensor = tensors.get(key)
    if (tensor) return tensor
    throw new RestoreError('checkpoint', `CLIP of transformers: expected a key ${key}, found none`)
  }
  const copy = (to: string, from: string) => found.set(to, take(from))
  const copyBoth = (to: string, from: string) => {
    for (const part of ['weight', 'bias']) copy(`${to}.${part}`, `${from}.${part}`)
  }
  const copyBlocks = (to: string, from: string) => {
    for (let i = 0; tensors.has(`${from}.${i}.layer_norm1.weight`); i++) {
      const block = `${to}.${i}`
      const layer = `${from}.${i}`
      copyBoth(`${block}.ln_1`, `${layer}.layer_norm1`)
      for (const part of ['weight', 'bias']) {
        const rows = ['q', 'k', 'v'].map((name) => take(`${layer}.self_attn.${name}_proj.${part}`))
        found.set(`${block}.attn.in_proj_${part}`, joinRows(rows))
      }
      copyBoth(`${block}.attn.out_proj`, `${layer}.self_attn.out_proj`)
      copyBoth(`${block}.ln_2`, `${layer}.layer_norm2`)
      copyBoth(`${block}.mlp.c_fc`, `${layer}.mlp.fc1`)
      copyBoth(`${block}.mlp.c_proj`, `${layer}.mlp.fc2`)
    }
  }
  copy('logit_scale', 'logit_scale')
  copy('positional_embedding', 'text_model.embeddings.position_embedding.weight')
  copy('token_embedding.weight', 'text_model.embeddings.token_embedding.weight')
  copyBlocks('transformer.resblocks', 'text_model.encoder.layers')
  copyBoth('ln_final', 'text_model.final_layer_norm')
  found.set('text_projection', transposed(take('text_projection.weight')))
  copy('visual.class_embedding', 'vision_model.embeddings.class_embedding')
  copy('visual.positional_embedding', 'vision_model.embeddings.position_embedding.weight')
  copy('visual.conv1.weight', 'vision_model.embeddings.patch_embedding.weight')
  copyBoth('visual.ln_pre', 'vision_model.pre_layrnorm')
  copyBlocks('visual.transformer.resblocks', 'vision_model.encoder.layers')
  copyBoth('visual.ln_post', 'vision_model.post_layernorm')
  found.set('visual.proj', transposed(take('visual_projection.weight')))
  return found
}

function joinRows(parts: readonly StoredTensor[]): StoredTensor {
  const [first] = parts
  const [, ...rest] = first?.shape ?? []
  const rows = parts.reduce((total, { shape }) => total + (shape[0] ?? 0), 0)
  return {
    dtype: first?.dtype ?? 'float32',
    shape: [rows, ...rest],
    read: () => concat(parts.map((part) => part.read())),
  }
}

function transposed({ dtype, shape, read }: StoredTensor): StoredTensor {
  const [rows = 0, columns = 0] = shape
  const size = dtypeBytes[dtype]
  return {
    dtype,
    shape: [columns, rows],
    read: () => {
      const bytes = read()
      const out = new Uint8Array(bytes.length)
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++) {
          const from = (i * columns + j) * size
          out.set(bytes.subarray(from, from + size), (j * rows + i) * size)
        }
      return out
    },
  }
}

/** Rows and columns of patches. */
export type Grid = readonly [rows: number, columns: number]

/** What determines the patches of a vision tower, in pixels. */
interface Patches {
  readonly imageSize: readonly [height: number, width: number]
  readonly patch: number
}

/** Counts the patches of an image. */
export function patchGrid({ imageSize: [height, width], patch }: Patches): Grid {
  return [Math.floor(height / patch), Math.floor(width / patch)]
}

/** Fits the vision towers to images of another size: resizes their position embeddings. */
export function fitPositions(tensors: Tensors, patches: Patches): Tensors {
  const grid = patchGrid(patches)
  const fitted = [...tensors].map(([key, stored]) => {
    const isVision = /^(.*visual|visual_control)\.positional_embedding$/.test(key)
    return [key, isVision ? resizePositions(stored, grid) : stored] as const
  })
  return new Map(fitted)
}

/**
 * Resizes position embeddings [1 + patches, width] of a square grid to another grid, bicubic with
 * antialiasing; the class token is unchanged. Those of as many patches are unchanged.
 * @throws RestoreError 'checkpoint' for another number of patches that form no square
 */
export function resizePositions(stored: StoredTensor, [rows, columns]: Grid): StoredTensor {
  const [tokens = 0, width = 0] = stored.shape
  const count = tokens - 1
  if (count === rows * columns) return stored
  const from = Math.round(Math.sqrt(count))
  if (from * from !== count)
    throw new RestoreError(
      'checkpoint',
      `visual.positional_embedding: expected positions of a square grid or of ${rows} x ${columns} patches, got ${count}; pass the height and width of the images as option imageSize`,
    )
  const shape = [1 + rows * columns, width]
  return {
    dtype: 'float32',
    shape,
    read: () => {
      const values = toFloat32(loadTensor(stored))
      const wide = new Float64Array(from * columns * width)
      const out = new Float32Array((1 + rows * columns) * width)
      out.set(values.subarray(0, width))
      for (let y = 0; y < from; y++)
        for (const [x, { first, weights }] of antialiasedTaps(from, columns).entries())
          for (const [k, weight] of weights.entries())
            for (let c = 0; c < width; c++) {
              const to = (y * columns + x) * width + c
              wide[to]! += weight * values[(1 + y * from + first + k) * width + c]!
            }
      for (const [y, { first, weights }] of antialiasedTaps(from, rows).entries())
        for (const [k, weight] of weights.entries())
          for (let i = 0; i < columns * width; i++)
            out[width + y * columns * width + i]! += weight * wide[(first + k) * columns * width + i]!
      return float32Data(out, shape).bytes
    },
  }
}
