// --backend and --device: which session carries a network.

import { RestoreError } from '../../core/errors.ts'
import type { Session } from '../../core/session.ts'
import type { LoadedModel } from '../../registry/loadModel.ts'

export interface BackendOptions {
  readonly backend?: string
  readonly device?: string
}

/** Opens the session asked for; nothing falls back silently. */
export async function openSession(
  model: LoadedModel,
  { backend = 'auto', device = 'auto' }: BackendOptions,
): Promise<Session> {
  const cuda = /^cuda(?::(\d+))?$/.exec(device)
  if (!cuda && device !== 'auto' && device !== 'cpu') {
    throw new RestoreError('usage', `--device: expected auto, cpu or cuda[:N], got ${device}`)
  }
  if (backend === 'torch') {
    const { torchSession } = await import('../../torch/torchSession.ts')
    return torchSession(model.network, model.forward, cuda ? `cuda:${Number(cuda[1] ?? 0)}` : 'cpu')
  }
  if (backend !== 'auto' && backend !== 'onnx') {
    throw new RestoreError('usage', `--backend: expected auto, onnx or torch, got ${backend}`)
  }
  if (cuda) throw new RestoreError('usage', '--device cuda: runs through libtorch; add --backend torch')
  const { nodeSession } = await import('../../runtime/session/nodeOnnxSession.ts')
  return nodeSession(model)
}
