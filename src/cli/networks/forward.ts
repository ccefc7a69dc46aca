// limpid forward: raw tensors through a network.

import { dirname } from 'node:path'
import { loadTensor } from '../../checkpoints/checkpoint.ts'
import { readCheckpoint, writeSafetensors } from '../../checkpoints/files.ts'
import type { TensorData } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { makeFolder } from '../../files/folders.ts'
import { loadModel } from '../../registry/loadModel.ts'
import type { ForwardOptions } from '../commands/networks.ts'
import { checkOutput, fileOf } from '../io/outputPlan.ts'
import { printResult } from '../io/shell.ts'
import { openSession } from './backends.ts'
import { readWeights } from './readWeights.ts'

export async function forwardCommand(options: ForwardOptions): Promise<void> {
  const output = fileOf(options.output, '--output', 'outputs.safetensors')
  if (output === '-') throw new RestoreError('usage', '--output: expected a file, got stdout')
  checkOutput(output, options.overwrite)
  const model = loadModel(readWeights(options.weights, options), options.options ?? {})
  const extra = Object.keys(options.call ?? {})
  if (extra.length > 0)
    throw new RestoreError('usage', `--call: ${model.id} takes no call arguments, got ${extra.join(', ')}`)
  const inputs = readInputs(options.inputs, Object.keys(model.inputs))
  const session = await openSession(model, options)
  try {
    const outputs = await session.run(inputs)
    makeFolder(dirname(output))
    const overwrite = options.overwrite === true
    writeSafetensors(output, new Map(Object.entries(outputs)), undefined, { overwrite })
    const shapes = Object.fromEntries(Object.entries(outputs).map(([name, { shape }]) => [name, shape]))
    printResult(options, { output, model: model.id, shapes }, output)
  } finally {
    await session.close()
  }
}

/** The network's inputs from a file, by name ('x', or 'in.x' where the file holds results too). */
function readInputs(file: string, names: readonly string[]): Record<string, TensorData> {
  const { tensors } = readCheckpoint(file, { isWhole: true })
  const found: Record<string, TensorData> = {}
  for (const name of names) {
    const stored = tensors.get(name) ?? tensors.get(`in.${name}`)
    if (!stored) {
      const got = [...tensors.keys()].slice(0, 8).join(', ')
      throw new RestoreError(
        'input',
        `${file}: expected a tensor '${name}' for the network's input, got ${got}`,
      )
    }
    found[name] = loadTensor(stored)
  }
  return found
}
