// Reads weights and guides from wherever a page has them.

import { memorySource } from '../checkpoints/checkpoint.ts'
import { openCheckpoint } from '../checkpoints/open.ts'
import { RestoreError } from '../core/errors.ts'
import type { NetworkDescription } from '../models/networkDescriptor.ts'
import { type LoadedModel, loadModel } from '../registry/loadModel.ts'
import type { OnProgress } from '../runtime/jobs/progress.ts'
import { checkGuide, describeGuide, rejectGuide, requiredGuide } from '../runtime/sampling/guide.ts'
import type { LoadedGuide } from '../runtime/session/networkSessions.ts'
import { fetchBytes } from './fetchBytes.ts'

/** Bytes of a checkpoint or an ONNX file, or the URL to fetch them from. */
export type WeightsInput = string | URL | Blob | ArrayBuffer | Uint8Array<ArrayBuffer>

interface FetchOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

/** Bytes of weights; `name` is their name in errors. */
export async function bytesOf(
  input: WeightsInput,
  name: string,
  options: FetchOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if (input instanceof Uint8Array) return input
  if (input instanceof ArrayBuffer) return new Uint8Array(input)
  if (input instanceof Blob) return new Uint8Array(await input.arrayBuffer())
  return fetchBytes(input, name, options)
}

/** Checks and loads the guide of a network; undefined if it needs none. */
export async function readGuide(
  network: NetworkDescription,
  { guide, ...options }: FetchOptions & { readonly guide?: WeightsInput | undefined },
): Promise<(Omit<LoadedGuide, 'session'> & { readonly model: LoadedModel }) | undefined> {
  const required = requiredGuide(network)
  const names = { weights: 'weights', guide: 'a guide' }
  if (!required) return guide === undefined ? undefined : rejectGuide(network, names)
  if (guide === undefined)
    throw new RestoreError(
      'usage',
      `guide: expected ${describeGuide(required)}, beside these weights, got none`,
    )
  const checkpoint = openCheckpoint(memorySource(await bytesOf(guide, 'guide', options), 'guide'))
  return { ...checkGuide(checkpoint, required, names), model: loadModel(checkpoint) }
}
