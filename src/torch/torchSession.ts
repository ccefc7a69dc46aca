// Inference on libtorch: runs an eager network as a Session.

import type { NamedData, Session } from '../core/session.ts'
import type { Tensor } from '../core/tensor.ts'
import { type Device, moveToTorch, noGrad, scope, toTorch } from './backend.ts'

/** Moves the network to a device and runs `forward` there, for any input size. */
export function torchSession(
  network: object,
  forward: (inputs: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>,
  device: Device = 'cpu',
): Session {
  moveToTorch(network, device)
  return {
    run: async (inputs) => {
      const results: Record<string, ReturnType<Tensor['read']>> = {}
      noGrad(() =>
        scope(() => {
          const moved = Object.entries(inputs).map(([name, data]) => [name, toTorch(data, device)] as const)
          for (const [name, tensor] of Object.entries(forward(Object.fromEntries(moved))))
            results[name] = tensor.read()
        }),
      )
      return results satisfies NamedData
    },
    close: async () => {},
  }
}
