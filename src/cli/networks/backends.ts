// Opens a network on the backend and device of --backend and --device.

import { RestoreError } from '../../core/errors.ts'
import type { Session } from '../../core/session.ts'
import type { LoadedModel } from '../../registry/loadModel.ts'
import { cudaIndex, type TorchDevice } from '../commands/parsers.ts'

export interface BackendOptions {
  readonly backend: 'auto' | 'onnx' | 'torch'
  readonly device: TorchDevice
}

/** Opens the session asked for; nothing falls back silently. */
export async function openSession(model: LoadedModel, { backend, device }: BackendOptions): Promise<Session> {
  const isCuda = device.startsWith('cuda')
  if (backend === 'torch' || (backend === 'auto' && isCuda)) {
    const { torchSession } = await import('../../torch/torchSession.ts')
    return torchSession(model.network, model.forward, isCuda ? `cuda:${cudaIndex(device) ?? 0}` : 'cpu')
  }
  if (isCuda)
    throw new RestoreError(
      'usage',
      `--backend: expected torch, which runs raw tensors on ${device}, got onnx; leave it out`,
    )
  const { nodeSession } = await import('../../runtime/session/nodeOnnxSession.ts')
  return nodeSession(model)
}
