// limpid inspect and limpid convert: what a weights file is, and the same weights as safetensors.

import { basename, dirname, extname } from 'node:path'
import { type Checkpoint, loadTensor, type StoredTensor } from '../../checkpoints/checkpoint.ts'
import { fromFloat32, toFloat32 } from '../../checkpoints/convert.ts'
import { readCheckpoint, writeSafetensors } from '../../checkpoints/files.ts'
import { isOnnxFile } from '../../checkpoints/onnxFiles.ts'
import type { WritableTensor } from '../../checkpoints/safetensors.ts'
import { elementCount } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { listNames } from '../../core/text.ts'
import { makeFolder } from '../../files/folders.ts'
import { licenseOf } from '../../registry/cards.ts'
import { recognize } from '../../registry/loadModel.ts'
import type { ModelId } from '../../registry/networks.ts'
import type { ConvertOptions, InspectOptions } from '../commands/networks.ts'
import { checkOutput, fileOf } from '../io/outputPlan.ts'
import { printResult } from '../io/shell.ts'
import { tableOf } from '../io/table.ts'
import { inspectOnnx } from './inspectOnnx.ts'
import { readWeights } from './readWeights.ts'

export async function inspectCommand(file: string, options: InspectOptions): Promise<void> {
  if (isOnnxFile(file)) return inspectOnnx(file, options)
  const checkpoint = readCheckpoint(file, { tensors: options.tensors })
  const { tensors, container, path, prefix, others, metadata } = checkpoint
  const keys = [...tensors].map(([key, { dtype, shape }]) => ({ key, dtype, shape }))
  const dtypes = [...new Set(keys.map(({ dtype }) => dtype))]
  const parameters = keys.reduce((total, { shape }) => total + elementCount(shape), 0)
  const network = networkOf(checkpoint)
  const document = {
    file,
    container,
    path,
    prefix,
    others,
    metadata: Object.fromEntries(metadata),
    ...network,
    tensors: keys.length,
    parameters,
    dtypes,
    keys,
  }
  const place = [
    container,
    ...(path.length > 0 ? [path.join('.')] : []),
    ...(prefix === '' ? [] : [`prefix ${prefix}`]),
  ]
  const rows: readonly (readonly [string, string])[] = [
    ['file', `${file} (${place.join(', ')})`],
    ...(others.length > 0 ? [['others', `${listNames(others)} (--tensors selects one)`] as const] : []),
    ['network', 'model' in network ? network.model : network.unknown],
    ...('options' in network
      ? [['options', JSON.stringify(network.options)] as const, ['license', network.license] as const]
      : []),
    ['tensors', `${keys.length}, ${parameters.toLocaleString('en')} values, ${dtypes.join(', ')}`],
    ...metadata,
    ...(options.keys
      ? keys.map(({ key, dtype, shape }) => [key, `${dtype} [${shape.join(' ')}]`] as const)
      : []),
  ]
  printResult(options, document, tableOf(rows))
}

type NetworkSummary =
  | { readonly model: ModelId; readonly options: object; readonly license: string }
  | { readonly unknown: string }

function networkOf(checkpoint: Checkpoint): NetworkSummary {
  try {
    const { id, options, license } = recognize(checkpoint)
    return {
      model: id,
      options,
      license: licenseOf({ metadata: checkpoint.metadata, official: license }).note,
    }
  } catch (error) {
    if (!(error instanceof RestoreError)) throw error
    return { unknown: error.message }
  }
}

export function convertCommand(input: string, given: string, options: ConvertOptions): void {
  const output = fileOf(given, 'OUTPUT', `${basename(input, extname(input))}.safetensors`)
  if (!output.endsWith('.safetensors')) {
    throw new RestoreError('usage', `convert: expected an output named *.safetensors, got ${output}`)
  }
  checkOutput(output, options.overwrite)
  const { dtype } = options
  const { tensors, metadata } = readWeights(input, options)
  const converted = new Map<string, WritableTensor>()
  for (const [key, stored] of tensors) converted.set(key, dtype ? recast(key, stored, dtype) : stored)
  makeFolder(dirname(output))
  writeSafetensors(output, converted, metadata, { overwrite: options.overwrite === true })
  printResult(options, { output, tensors: converted.size }, output)
}

/**
 * The tensor in another float type, converted when it is written. Integers stay as they are, and so do
 * statistics of batch norms: they may be larger than float16 holds.
 */
function recast(
  key: string,
  stored: StoredTensor,
  dtype: 'float32' | 'float16' | 'bfloat16',
): WritableTensor {
  const isWeight = stored.dtype.includes('float') && !/\.running_(mean|var)$/.test(key)
  if (!isWeight || stored.dtype === dtype) return stored
  const read = () => {
    const values = toFloat32(loadTensor(stored))
    const largest = values.reduce(
      (most, value) => Math.max(most, Number.isFinite(value) ? Math.abs(value) : 0),
      0,
    )
    if (dtype === 'float16' && largest >= 65520) {
      throw new RestoreError(
        'numeric',
        `${key}: expected values within float16's 65504, got ${largest}; use bfloat16`,
      )
    }
    return fromFloat32(values, dtype)
  }
  return { dtype, shape: stored.shape, read }
}
