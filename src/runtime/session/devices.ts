// Selects the device and backend of a network: the requested ones, or the first that work.

import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { type OptionRules, text } from '../../core/options.ts'
import type { RunOptions } from '../../core/session.ts'
import { ProcessSession } from './computeProcess.ts'
import type { Placement, Setup } from './protocol.ts'

/** What a placement says without its precision. */
type Place = Omit<Placement, 'dtype'>

/** Options that select device and backend. */
export interface DeviceRequest {
  /** 'auto', 'cpu', 'webgpu', 'cuda' or 'cuda:N'; an explicit device has no fallback. @default 'auto' */
  readonly device?: string | undefined
  /** 'auto', 'onnx' or 'torch'. @default 'auto' */
  readonly backend?: string | undefined
}

export const deviceRules: OptionRules<DeviceRequest> = { device: text, backend: text }

/** Lists placements in float32 to try, in order; an explicit device has no fallback. @throws RestoreError 'usage' */
export function placementsFor(request: DeviceRequest): readonly Placement[] {
  return placesFor(request).map((place) => ({ ...place, dtype: 'float32' }))
}

function placesFor({ device = 'auto', backend = 'auto' }: DeviceRequest): readonly Place[] {
  if (backend !== 'auto' && backend !== 'onnx' && backend !== 'torch') {
    throw new RestoreError('usage', `backend: expected auto, onnx or torch, got ${backend}`)
  }
  const backends = backend === 'auto' ? (['onnx', 'torch'] as const) : ([backend] as const)
  const cuda = /^cuda(?::(\d+))?$/.exec(device)
  if (cuda) {
    const deviceIndex = Number(cuda[1] ?? 0)
    return backends.map((name) => ({ backend: name, device: 'cuda', deviceIndex }))
  }
  const [first] = backends
  if (device === 'cpu') return [{ backend: first, device, deviceIndex: 0 }]
  if (device === 'webgpu') {
    if (first === 'onnx') return [{ backend: first, device, deviceIndex: 0 }]
    throw new RestoreError(
      'usage',
      'backend: expected onnx for the device webgpu, which torch does not have, got torch; leave it out',
    )
  }
  if (device === 'auto') {
    const gpus = availableGpus().flatMap((name) => {
      const supported = backends.filter((one) => one === 'onnx' || name === 'cuda')
      return supported.map((one): Place => ({ backend: one, device: name, deviceIndex: 0 }))
    })
    return [...gpus, { backend: first, device: 'cpu', deviceIndex: 0 }]
  }
  throw new RestoreError('usage', `device: expected auto, cpu, webgpu, cuda or cuda:N, got ${device}`)
}

/** GPUs that the system reports, fastest first. Software drivers have no device node and do not count. */
function availableGpus(): readonly ('cuda' | 'webgpu')[] {
  if (process.platform !== 'linux') return ['webgpu']
  const hasNvidia = existsSync('/dev/nvidia0')
  const nodes = existsSync('/dev/dri') ? readdirSync('/dev/dri') : []
  const hasGpu = hasNvidia || nodes.some((node) => node.startsWith('renderD'))
  return [...(hasNvidia ? (['cuda'] as const) : []), ...(hasGpu ? (['webgpu'] as const) : [])]
}

/** Whether ONNX Runtime's CUDA provider is installed; its package includes it only on demand. */
function hasCudaProvider(): boolean {
  const { paths } = createRequire(import.meta.url).resolve
  const name =
    process.platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so'
  const file = join('onnxruntime-node', 'bin', 'napi-v6', process.platform, process.arch, name)
  return (paths('onnxruntime-node') ?? []).some((folder) => existsSync(join(folder, file)))
}

/**
 * Opens a network at the first placement that works.
 * @throws RestoreError 'environment' with the failure of every placement if none works
 */
export async function openOnDevice(
  placements: readonly Placement[],
  setup: Omit<Setup, keyof Placement>,
  options: RunOptions,
): Promise<{ readonly session: ProcessSession; readonly placement: Placement }> {
  const failures: string[] = []
  for (const placement of placements) {
    const name = `${deviceName(placement)} with ${placement.backend}${placement.dtype === 'float32' ? '' : ` in ${placement.dtype}`}`
    if (placement.device === 'cuda' && placement.backend === 'onnx' && !hasCudaProvider()) {
      failures.push(`${name}: ONNX Runtime has no CUDA provider on this machine`)
      continue
    }
    try {
      return { session: await ProcessSession.open({ ...setup, ...placement }, options), placement }
    } catch (error) {
      const isDeviceError =
        error instanceof RestoreError && ['crash', 'environment', 'memory'].includes(error.code)
      if (!isDeviceError || placements.length === 1) throw asEnvironment(error, placement)
      failures.push(`${name}: ${reasonOf(error)}`)
    }
  }
  throw new RestoreError('environment', `device: expected one that works, got none; ${failures.join('; ')}`)
}

/** Reports a crash on a device other than the CPU as an error of the environment. */
function asEnvironment(error: unknown, placement: Placement): unknown {
  if (!(error instanceof RestoreError) || error.code !== 'crash' || placement.device === 'cpu') return error
  return new RestoreError(
    'environment',
    `${deviceName(placement)}: expected a device that works, got an error (${reasonOf(error)}); use another, or leave it out`,
    { cause: error },
  )
}

/** What an error says beside the words for a place, which the device's name replaces. */
function reasonOf({ message }: RestoreError): string {
  return message.replace(/^(?:device|compute): (?:the runtime failed: )?/, '')
}

/** Name of a device: 'cpu', 'webgpu' or 'cuda:N'. */
export function deviceName({ device, deviceIndex }: Place): string {
  return device === 'cuda' ? `cuda:${deviceIndex}` : device
}
