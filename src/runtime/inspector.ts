// Opens light-inspect in Node.

import type { Estimates } from '../auto/estimates/estimate.ts'
import type { Verdict } from '../auto/plan/findings.ts'
import { readCheckpoint } from '../checkpoints/files.ts'
import { RestoreError } from '../core/errors.ts'
import type { Image } from '../data/image.ts'
import type { PartedImage } from '../data/parts.ts'
import { describeNetwork } from '../registry/loadModel.ts'
import { inspectPhoto } from './inspectPhoto.ts'
import { type DeviceRequest, openOnDevice, placementsFor } from './session/devices.ts'

/** Looks at photos until it is closed. */
export interface Inspector {
  /** SHA-256 of its weights. */
  readonly sha256: string
  /** Looks at a photo [1|3 h w], knowing its estimates. */
  inspect(photo: Image | PartedImage, estimates: Estimates, signal?: AbortSignal): Promise<Verdict>
  close(): Promise<void>
}

/** Options of {@link openInspector}. */
export interface InspectorOptions extends DeviceRequest {
  readonly weights: string
  readonly threads: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens the inspecting network in a process of its own.
 * @throws RestoreError 'usage' for weights of another network
 */
export async function openInspector({
  weights,
  threads,
  signal,
  ...device
}: InspectorOptions): Promise<Inspector> {
  const { id } = describeNetwork(readCheckpoint(weights))
  if (id !== 'light-inspect')
    throw new RestoreError(
      'usage',
      `${weights}: expected weights of light-inspect, which looks at photos for --task auto, got ${id}`,
    )
  const setup = { weights, tensors: undefined, options: {}, threads }
  const { session } = await openOnDevice(placementsFor(device), setup, { signal })
  return {
    sha256: session.opened.sha256,
    inspect: (photo, estimates, signal) => inspectPhoto(session, photo, estimates, signal),
    close: () => session.close(),
  }
}
