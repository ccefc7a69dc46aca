// The addon as JavaScript sees it. It knows no operator by name: TypeScript asks the dispatcher for a schema and calls it boxed.
// Every function throws an Error whose message is libtorch's first line, without the C++ backtrace.

import type { DType } from '../src/core/data.ts'

declare const handle: unique symbol
declare const generator: unique symbol

/** A libtorch tensor. Freed by `release`, by the end of the surrounding scope, or at last by the garbage collector. */
export interface Handle {
  readonly [handle]: true
}

/** A libtorch random generator. */
export interface Generator {
  readonly [generator]: true
}

/** Converted by the schema's own type: `null` is None, numbers become int, float or Scalar, `dtype` arguments take a DType, `device` arguments 'cpu' or 'cuda:0'. */
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
  /** libtorch that is loaded, e.g. '2.13.0+cpu'. */
  readonly torchVersion: string

  /** Finds an operator ('aten::conv2d', '') in the dispatcher; the number is what `call` takes. Throws when there is none. */
  resolve(name: string, overload: string): number
  /** Calls an operator with positional arguments (missing or undefined ones take the schema's defaults); several results come as an array. */
  call(operator: number, ...args: readonly Argument[]): Result

  /** Copies bytes (contiguous, little-endian) into a new tensor on a device. */
  fromBytes(bytes: Uint8Array, shape: readonly number[], dtype: DType, device: string): Handle
  /** Copies values to host memory, contiguous, whatever device and strides; waits for the device. */
  toBytes(tensor: Handle): Uint8Array
  shape(tensor: Handle): number[]
  dtype(tensor: Handle): DType
  device(tensor: Handle): string
  /** Frees now; any later use of the handle throws. */
  release(tensor: Handle): void

  /** Begins a scope: tensors created until the matching `scopeEnd` belong to it. Scopes nest. */
  scopeBegin(): void
  /** Frees the tensors of the innermost scope but `keep`, which pass to the scope around it. */
  scopeEnd(keep: readonly Handle[]): void
  /** Tensors alive and the bytes of their storages. */
  liveTensors(): { count: number; bytes: number }

  requiresGrad(tensor: Handle): boolean
  setRequiresGrad(tensor: Handle, value: boolean): void
  /** The accumulated gradient, or null. */
  grad(tensor: Handle): Handle | null
  setGrad(tensor: Handle, grad: Handle | null): void
  /** Accumulates gradients of a scalar loss, on this thread. */
  backward(loss: Handle): void
  /** The same on a worker thread; resolves when done. */
  backwardAsync(loss: Handle): Promise<void>
  /** Turns gradient recording on or off for this thread; returns what it was. */
  setGradEnabled(value: boolean): boolean

  /** Turns autocast on (with a dtype) or off (null) for a device type; returns what it was. */
  setAutocast(deviceType: 'cpu' | 'cuda', dtype: DType | null): DType | null
  /** Forgets the weights that autocast has cast; call after each optimizer step. */
  clearAutocastCache(): void

  createGenerator(device: string, seed: bigint): Generator
  generatorState(generator: Generator): Uint8Array
  setGeneratorState(generator: Generator, state: Uint8Array): void

  threads(): number
  setThreads(count: number): void

  cudaDevices(): { name: string; totalBytes: number; computeCapability: string }[]
  /** Waits for all work on a device; resolves when done. */
  synchronize(device: string): Promise<void>
  /** Bytes in use and reserved by the caching allocator, and their peaks. */
  cudaMemory(device: number): { allocated: number; reserved: number; peakAllocated: number }
  cudaEmptyCache(): void

  /**
   * Meets `size` processes at an address, where one of them listens unless someone else does, under a name of their meeting; waits for
   * all. `network` is an interface such as 'eth0', or empty. Needs an addon built with Gloo's headers, as all that follows does.
   */
  joinGroup(
    host: string,
    port: number,
    rank: number,
    size: number,
    options: { name: string; listens: boolean; network: string; meetingMs: number; waitingMs: number },
  ): void
  leaveGroup(): void
  /** Makes a contiguous tensor in host memory the sum of those of all processes; waits for them. */
  sumAcross(tensor: Handle): void
  /** Tensors in host memory of all processes, of the same shape [b …], one after the other: [size·b …]. */
  collectAcross(tensor: Handle): Handle
}
