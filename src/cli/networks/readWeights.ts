// Reads the weights of --weights and --tensors.

import { type Checkpoint, chosenSet } from '../../checkpoints/checkpoint.ts'
import { readCheckpoint } from '../../checkpoints/files.ts'
import { type GlobalOptions, reporter } from '../io/shell.ts'

interface WeightsOptions extends GlobalOptions {
  readonly tensors?: string | undefined
}

/** Reads a checkpoint, and says which of several sets of tensors is used. */
export function readWeights(file: string, options: WeightsOptions): Checkpoint {
  const checkpoint = readCheckpoint(file, { tensors: options.tensors })
  const note = chosenSet(checkpoint)
  const progress = reporter(options)
  if (note !== undefined) progress.show(note)
  progress.done()
  return checkpoint
}
