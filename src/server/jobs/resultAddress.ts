// The address of a result in the store: equal for what gives equal pictures, and told to nobody.

import { createHash } from 'node:crypto'
import { hashOnce } from '../../checkpoints/files.ts'
import { packageVersion } from '../../data/packageFiles.ts'
import { canonical, type JobSettings } from '../protocol/settings.ts'

/** What decides about a result. */
export interface ResultRequest {
  /** Separates results that are not to be shared: those of different keys, for one. */
  readonly scope: string
  /** SHA-256 of the input file. */
  readonly input: string
  readonly settings: JobSettings
  /** Files of weights that the result may depend on. */
  readonly weights: readonly string[]
}

export function resultAddress({ scope, input, settings, weights }: ResultRequest): string {
  const hashes = weights.map((file) => hashOnce(file))
  return hashOf(scope, input, canonical(settings), ...hashes, packageVersion())
}

/** Hash of several texts. */
export function hashOf(...parts: readonly string[]): string {
  const sum = createHash('sha256')
  // A length before each part keeps different parts from giving the same bytes.
  for (const part of parts) sum.update(`${part.length}:${part}`)
  return sum.digest('hex')
}
