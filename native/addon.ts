// Types of the native addon. It has no binding per operator: TypeScript looks operators
// up in the dispatcher and calls them boxed. Every function throws an Error with the
// first line of libtorch's message, without the C++ backtrace.

import type { DType } from '../src/core/data.ts'

declare const handle: unique symbol
declare const generator: unique symbol

/**
 * A libtorch tensor. Freed by `release`, at the end of the surrounding scope, or by the garbage collector.
 */
export interface Handle {
  readonly [handle]: true
}

/** A libtorch random generator. */
export interface Generator {
  readonly [generator]: true
}

/**
 * An argument, converted to the type in the operator's schema: `null` is None, numbers become int, float or
 * Scalar, `dtype` arguments take a DType, `device` arguments 'cpu' or 'cuda:0'.
 */
export type Argument =
  | Handle
  | Generator
  | number
  | bigint
  | boolean
  | string
  | null
  | readonly number[]
  | readonly boolean[]
  | readonly (Handle | null)[]

export type Result = Handle | number | boolean | string | null | readonly Result[]

export interface Addon {
  /** Version of the loaded libtorch, e.g. '2.13.0+cpu'. */
  readonly torchVersion: string

  /**
   * Looks up an operator ('aten::conv2d', '') in the dispatcher and returns its id for
   * `call`. Throws if there is none.
   */
  resolve(name: string, overload: string): number
  /**
   * Calls an operator with positional arguments; missing or undefined ones take the schema's defaults.
   * Returns several results as an array.
   */
  call(operator: number, ...args: readonly Argument[]): Result

  /** Copies bytes (contiguous, little-endian) into a new tensor on a device. */
  fromBytes(bytes: Uint8Array, shape: readonly number[], dtype: DType, device: string): Handle
  /** Copies values from any device and strides to contiguous host memory; waits for the device. */
  toBytes(tensor: Handle): Uint8Array
  shape(tensor: Handle): number[]
  dtype(tensor: Handle): DType
  device(tensor: Handle): string
  /** Frees a tensor immediately; any later use of the handle throws. */
  release(tensor: Handle): void

  /** Begins a scope: tensors created until the matching `scopeEnd` belong to it. Scopes nest. */
  scopeBegin(): void
  /** Frees the tensors of the innermost scope, except `keep`, which pass to the enclosing scope. */
  scopeEnd(keep: readonly Handle[]): void
  /** Number of live tensors, and the bytes of their storages. */
  liveTensors(): { count: number; bytes: number }

  requiresGrad(tensor: Handle): boolean
  setRequiresGrad(tensor: Handle, value: boolean): void
  /** The accumulated gradient, or null. */
  grad(tensor: Handle): Handle | null
  setGrad(tensor: Handle, grad: Handle | null): void
  /** Accumulates gradients of a scalar loss, on this thread. */
  backward(loss: Handle): void
  /** Turns gradient recording on or off for this thread; returns the previous state. */
  setGradEnabled(value: boolean): boolean

  /** Turns autocast on (with a dtype) or off (null) for a device type; returns the previous state. */
  setAutocast(deviceType: 'cpu' | 'cuda', dtype: DType | null): DType | null
  /** Clears autocast's cache of cast weights; call it after each optimizer step. */
  clearAutocastCache(): void

  createGenerator(device: string, seed: bigint): Generator
  generatorState(generator: Generator): Uint8Array
  setGeneratorState(generator: Generator, state: Uint8Array): void

  threads(): number
  setThreads(count: number): void

  cudaDevices(): { name: string; totalBytes: number; computeCapability: string }[]
  /** Waits for all work on a device; resolves when done. */
  synchronize(device: string): Promise<void>

  /**
   * Joins a group of `size` processes at an address and waits for all of them. One process listens, unless
   * the address already has a store; `name` separates groups that share a store. `network` is an interface
   * such as 'eth0', or empty. This and all functions below need an addon built with Gloo's headers.
   */
  joinGroup(
    host: string,
    port: number,
    rank: number,
    size: number,
    options: { name: string; listens: boolean; network: string; meetingMs: number; waitingMs: number },
  ): void
  leaveGroup(): void
  /** Replaces a contiguous tensor in host memory with the sum over all processes; waits for them. */
  sumAcross(tensor: Handle): void
  /** Concatenates the host tensors [b …], of equal shape, of all processes: [size·b …]. */
  collectAcross(tensor: Handle): Handle
}
