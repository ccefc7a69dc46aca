// Devices and threads that libtorch computes on.

import { loadAddon as addon } from '../../native/load.ts'
import { RestoreError } from '../core/errors.ts'
import type { Device } from './backend.ts'

/** A CUDA device that libtorch can compute on; its place in the list is N of `cuda:N`. */
export interface CudaDevice {
  readonly name: string
  readonly totalBytes: number
  /** Such as '9.0'. */
  readonly computeCapability: string
}

/**
 * Lists the CUDA devices; empty if there are none or libtorch was built without CUDA.
 *
 * @throws RestoreError `environment` if the addon is not built
 */
export function cudaDevices(): readonly CudaDevice[] {
  return addon().cudaDevices()
}

/** Waits until a device has finished all work; CUDA computes asynchronously, so timings need this. */
export function synchronize(device: Device): Promise<void> {
  return addon().synchronize(device)
}

/** Returns the number of threads that libtorch computes with on the CPU. */
export function threads(): number {
  return addon().threads()
}

/**
 * Sets the number of threads that libtorch computes with on the CPU.
 *
 * @throws RestoreError `usage` for a number below 1 or with a fraction
 */
export function setThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1)
    throw new RestoreError('usage', `threads: expected a whole number of at least 1, got ${count}`)
  addon().setThreads(count)
}
