// Checks with a tiny network that a device computes what the CPU does, before it is used for pictures.

import { float32Data, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import type { Session } from '../../core/session.ts'
import type { Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import { randomInit } from '../../nn/init.ts'

/** Other orders of summation in float32 differ by about 1e-6, TF32 by 1e-3, broken kernels by far more. */
const tolerance = 5e-3

type Forward = (inputs: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>

/** Opens a session of a network with this `forward`. */
export type OpenCheckSession = (network: object, forward: Forward) => Session | Promise<Session>

/** Runs the tiny network in a session. @throws if the session fails */
export async function deviceCheckOutput(open: OpenCheckSession): Promise<Float32Array> {
  let count = 0
  const init = randomInit(() => (++count * 0.618) % 1)
  const first = new Conv2d(init, 3, 16, { kernel: 3, bias: true })
  const second = new Conv2d(init, 16, 3, { kernel: 1, bias: true })
  const x = float32Data(
    Float32Array.from({ length: 3 * 32 * 32 }, (_, i) => (i % 7) / 7),
    [1, 3, 32, 32],
  )
  const session = await open({ first, second }, ({ x }) => ({
    y: second.forward(first.forward(x as Tensor).gelu()).softmax(1),
  }))
  try {
    const { y } = await session.run({ x })
    return viewAs(y?.bytes ?? new Uint8Array(), Float32Array)
  } finally {
    await session.close()
  }
}

/**
 * Checks a device against `expected`, the output on the CPU.
 * @throws RestoreError 'environment' for other results; whatever the session throws if it fails
 */
export async function checkDevice(
  name: string,
  open: OpenCheckSession,
  expected: Float32Array,
): Promise<void> {
  const output = await deviceCheckOutput(open)
  if (expected.every((value, i) => Math.abs(value - (output[i] ?? Number.NaN)) <= tolerance)) return
  throw new RestoreError(
    'environment',
    `${name}: expected the same results as on the CPU, got others; update its driver`,
  )
}
