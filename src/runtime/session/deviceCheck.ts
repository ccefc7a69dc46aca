// Whether a device computes what the processor does, asked of a tiny network before a picture is trusted to it.

import { float32Data, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import type { Session } from '../../core/session.ts'
import type { Tensor } from '../../core/tensor.ts'
import { Conv2d } from '../../nn/conv.ts'
import { randomInit } from '../../nn/init.ts'

/** float32 with other orders of summation differs by some 1e-6 here; TF32 by 1e-3, and a broken kernel by far more. */
const tolerance = 5e-3

type Forward = (inputs: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>

/** A session of a network that is given with what it computes. */
export type OpenCheckSession = (network: object, forward: Forward) => Session | Promise<Session>

/** What a session of the tiny network gives; throws where it fails. */
export async function deviceCheckOutput(open: OpenCheckSession): Promise<Float32Array> {
  let at = 0
  const init = randomInit(() => (++at * 0.618) % 1)
  const [first, second] = [
    new Conv2d(init, 3, 16, { kernel: 3, bias: true }),
    new Conv2d(init, 16, 3, { kernel: 1, bias: true }),
  ]
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

/** Throws where the session that `open` gives fails or computes something else than `expected`, the output of one of the processor. */
export async function checkDevice(
  name: string,
  open: OpenCheckSession,
  expected: Float32Array,
): Promise<void> {
  const got = await deviceCheckOutput(open)
  if (expected.every((value, i) => Math.abs(value - (got[i] ?? Number.NaN)) <= tolerance)) return
  throw new RestoreError(
    'environment',
    `${name}: expected the results of the processor, got others; update its driver`,
  )
}
