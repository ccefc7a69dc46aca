// limpid inspect and limpid convert: what a weights file is, and the same weights as safetensors.

import { basename, extname } from 'node:path'
import { type Checkpoint, loadTensor, type StoredTensor } from '../../checkpoints/checkpoint.ts'
import { fromFloat32, toFloat32 } from '../../checkpoints/convert.ts'
import { readCheckpoint, writeSafetensors } from '../../checkpoints/files.ts'
import type { WritableTensor } from '../../checkpoints/safetensors.ts'
import { elementCount } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { licenseOf } from '../../registry/cards.ts'
import { recognize } from '../../registry/loadModel.ts'
import type { ModelId } from '../../registry/networks.ts'
import type { ConvertOptions, InspectOptions } from '../commands/networks.ts'
import { checkOutput, fileOf } from '../io/outputPlan.ts'
import { printResult } from '../io/shell.ts'
import { makeFolderOf } from '../io/writeResult.ts'

export function inspectCommand(file: string, options: InspectOptions): void {
  const checkpoint = readCheckpoint(file)
  const { tensors, container, path, prefix, metadata } = checkpoint
  const keys = [...tensors].map(([key, { dtype, shape }]) => ({ key, dtype, shape }))
  const dtypes = [...new Set(keys.map(({ dtype }) => dtype))]
  const parameters = keys.reduce((total, { shape }) => total + elementCount(shape), 0)
  const network = networkOf(checkpoint)
  const document = {
    file,
    container,
    path,
    prefix,
    metadata: Object.fromEntries(metadata),
    ...network,
    tensors: keys.length,
    parameters,
    dtypes,
    keys,
  }
  const rows: readonly (readonly [string, string])[] = [
    [
      'file',
      `${file} (${container}${path.length > 0 ? `, ${path.join('.')}` : ''}${prefix ? `, prefix ${prefix}` : ''})`,
    ],
    ['network', 'model' in network ? network.model : network.unknown],
    ...('options' in network
      ? [['options', JSON.stringify(network.options)] as const, ['license', network.license] as const]
      : []),
    ['tensors', `${keys.length}, ${parameters.toLocaleString('en')} values, ${dtypes.join(', ')}`],
    ...[...metadata].map(([name, value]) => [name, value] as const),
    ...(options.keys
      ? keys.map(({ key, dtype, shape }) => [key, `${dtype} [${shape.join(' ')}]`] as const)
      : []),
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  printResult(options, document, rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n'))
}

type NetworkSummary =
  | { readonly model: ModelId; readonly options: object; readonly license: string }
  | { readonly unknown: string }

function networkOf(checkpoint: Checkpoint): NetworkSummary {
  try {
    const { id, options, license } = recognize(checkpoint)
    return { model: id, options, license: licenseOf(checkpoint.metadata, license).note }
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
  const { tensors, metadata } = readCheckpoint(input)
  const converted = new Map<string, WritableTensor>()
  for (const [key, stored] of tensors) converted.set(key, dtype ? recast(key, stored, dtype) : stored)
  makeFolderOf(output)
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
