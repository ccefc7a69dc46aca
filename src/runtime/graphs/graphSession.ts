// Runs the graph of an ONNX file on pictures as Limpid holds them: planes of float32 in 0..1.

import { fromFloat32, toFloat32 } from '../../checkpoints/convert.ts'
import { elementCount, float32Data, type TensorData, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import type { Session } from '../../core/session.ts'
import { roundHalfEven } from '../../data/image.ts'
import { colorsOf, type ImageGraph, type ImagePort } from './imageGraph.ts'

/** Adapts a graph's session to one input `x` [b c h w] and one output `y`, both float32 in 0..1. */
export function graphSession(session: Session, { input, output, batch }: ImageGraph): Session {
  const runBatch = async (x: TensorData) => {
    const { [output.name]: y } = await session.run({ [input.name]: toPort(x, input) })
    if (y) return fromPort(y, output)
    throw new RestoreError('numeric', `restore: expected an output ${output.name}, got none`)
  }
  return {
    run: async ({ x }) => {
      if (!x) throw new RestoreError('usage', 'restore: expected an input x, got none')
      if (batch === undefined || batch === x.shape[0]) return { y: await runBatch(x) }
      return { y: await runInBatches(x, batch, runBatch) }
    },
    close: () => session.close(),
  }
}

/** Runs pictures in batches of one size, the last of which repeats its first picture. */
async function runInBatches(
  x: TensorData,
  batch: number,
  runBatch: (x: TensorData) => Promise<TensorData>,
): Promise<TensorData> {
  const [count = 0, ...rest] = x.shape
  const values = viewAs(x.bytes, Float32Array)
  const size = elementCount(rest)
  const parts: TensorData[] = []
  for (let at = 0; at < count; at += batch) {
    const filled = new Float32Array(batch * size)
    for (let i = 0; i < batch; i++) {
      const picture = at + i < count ? at + i : at
      filled.set(values.subarray(picture * size, (picture + 1) * size), i * size)
    }
    parts.push(await runBatch(float32Data(filled, [batch, ...rest])))
  }
  const [, ...outputRest] = parts[0]?.shape ?? []
  const length = elementCount(outputRest)
  const joined = new Float32Array(count * length)
  for (const [i, { bytes }] of parts.entries()) {
    const part = viewAs(bytes, Float32Array)
    joined.set(
      part.subarray(0, Math.min(part.length, joined.length - i * batch * length)),
      i * batch * length,
    )
  }
  return float32Data(joined, [count, ...outputRest])
}

/** Converts planes [b c h w] in 0..1 to what a port takes; opacity is full. */
export function toPort(x: TensorData, { dtype, layout, channels, peak }: ImagePort): TensorData {
  const values = viewAs(x.bytes, Float32Array)
  const [b = 0, c = 0, h = 0, w = 0] = x.shape
  const plane = h * w
  const [pixelStep, channelStep] = layout === 'NHWC' ? [channels, 1] : [1, plane]
  const shape = layout === 'NHWC' ? [b, h, w, channels] : [b, channels, h, w]
  if (layout === 'NCHW' && c === channels && peak === 1 && dtype === 'float32') return x
  const out = new Float32Array(b * channels * plane)
  for (let n = 0; n < b; n++) {
    for (let k = 0; k < channels; k++) {
      const from = (n * c + k) * plane
      const to = n * channels * plane + k * channelStep
      for (let i = 0; i < plane; i++) out[to + i * pixelStep] = peak * (k < c ? values[from + i]! : 1)
    }
  }
  if (dtype !== 'uint8') return { dtype, shape, bytes: fromFloat32(out, dtype) }
  const bytes = Uint8Array.from(out, (value) => roundHalfEven(Math.min(Math.max(value, 0), 255)))
  return { dtype, shape, bytes }
}

/** Converts what a port gives to planes [b c h w] in 0..1, without opacity. */
function fromPort(y: TensorData, port: ImagePort): TensorData {
  const values = toFloat32(y)
  const { layout, channels, peak } = port
  const [b = 0, ...rest] = y.shape
  const [h = 0, w = 0] = layout === 'NHWC' ? rest : rest.slice(1)
  const colors = colorsOf(port)
  const shape = [b, colors, h, w]
  if (layout === 'NCHW' && colors === channels && peak === 1) return float32Data(values, shape)
  const plane = h * w
  const [pixelStep, channelStep] = layout === 'NHWC' ? [channels, 1] : [1, plane]
  const out = new Float32Array(b * colors * plane)
  for (let n = 0; n < b; n++) {
    for (let k = 0; k < colors; k++) {
      const from = n * channels * plane + k * channelStep
      const to = (n * colors + k) * plane
      for (let i = 0; i < plane; i++) out[to + i] = values[from + i * pixelStep]! / peak
    }
  }
  return float32Data(out, shape)
}
