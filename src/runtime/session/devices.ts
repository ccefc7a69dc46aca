// Which device and backend carry a network: what was asked for, or the first of those that work.

import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import type { RunOptions } from '../../core/session.ts'
import { ProcessSession } from './computeProcess.ts'
import type { Placement, Setup } from './protocol.ts'

export interface DeviceRequest {
  /** 'auto', 'cpu', 'webgpu', 'cuda' or 'cuda:N'. */
  readonly device?: string | undefined
  readonly backend?: string | undefined
}

/** Placements to try in this order; one that is named has no other to take its place. */
export function placementsFor({ device = 'auto', backend = 'auto' }: DeviceRequest): readonly Placement[] {
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
      'device: expected webgpu with the backend onnx, got torch; torch has no webgpu',
    )
  }
  if (device === 'auto') {
    const found = devicesHere().flatMap((name) => {
      const able = backends.filter((one) => one === 'onnx' || name === 'cuda')
      return able.map((one): Placement => ({ backend: one, device: name, deviceIndex: 0 }))
    })
    return [...found, { backend: first, device: 'cpu', deviceIndex: 0 }]
  }
  throw new RestoreError('usage', `device: expected auto, cpu, webgpu, cuda or cuda:N, got ${device}`)
}

/** Graphics hardware that the system shows, fastest first. Drivers that imitate it on the processor show no node. */
function devicesHere(): readonly ('cuda' | 'webgpu')[] {
  if (process.platform !== 'linux') return ['webgpu']
  const isNvidia = existsSync('/dev/nvidia0')
  const nodes = existsSync('/dev/dri') ? readdirSync('/dev/dri') : []
  const isGraphics = isNvidia || nodes.some((node) => node.startsWith('renderD'))
  return [...(isNvidia ? (['cuda'] as const) : []), ...(isGraphics ? (['webgpu'] as const) : [])]
}

/** Whether ONNX Runtime's CUDA provider is installed beside it: its package brings it only on demand. */
function hasCudaProvider(): boolean {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
  const name =
    process.platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so'
  return existsSync(join(root, 'bin', 'napi-v6', process.platform, process.arch, name))
}

/** Opens a network at the first placement that works; without one, the error tells what each said. */
export async function openAt(
  placements: readonly Placement[],
  setup: Omit<Setup, keyof Placement>,
  options: RunOptions,
): Promise<{ readonly session: ProcessSession; readonly placement: Placement }> {
  const failures: string[] = []
  for (const placement of placements) {
    const name = `${nameOf(placement)} by ${placement.backend}`
    if (placement.device === 'cuda' && placement.backend === 'onnx' && !hasCudaProvider()) {
      failures.push(`${name}: ONNX Runtime has no CUDA provider here`)
      continue
    }
    try {
      return { session: await ProcessSession.open({ ...setup, ...placement }, options), placement }
    } catch (error) {
      const isOfDevice =
        error instanceof RestoreError && ['crash', 'environment', 'memory'].includes(error.code)
      if (!isOfDevice || placements.length === 1) throw asEnvironment(error, placement)
      failures.push(`${name}: ${error.message}`)
    }
  }
  throw new RestoreError('environment', `device: none works; ${failures.join('; ')}`)
}

/** A device that was asked for and does not work is a fault of the machine. */
function asEnvironment(error: unknown, placement: Placement): unknown {
  if (!(error instanceof RestoreError) || error.code !== 'crash' || placement.device === 'cpu') return error
  return new RestoreError('environment', `${nameOf(placement)}: cannot be used: ${error.message}`, {
    cause: error,
  })
}

export function nameOf({ device, deviceIndex }: Placement): string {
  return device === 'cuda' ? `cuda:${deviceIndex}` : device
}
