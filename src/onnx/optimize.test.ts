import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { elementCount, float32Data } from '../core/data.ts'
import { hostTensor } from '../core/hostBackend.ts'
import type { Op } from '../core/ops.ts'
import type { Tensor } from '../core/tensor.ts'
import type { Graph } from './graph.ts'
import { lower } from './lower.ts'
import {
  cutHiddenRows,
  optimize,
  padHiddenChannels,
  preluByConvs,
  pushSlicesThroughConvs,
  shuffleAfterConvs,
} from './optimize.ts'
import { removeDeadNodes } from './rewrite.ts'
import { trace } from './tracer.ts'
import { writeOnnx } from './write.ts'

/** Irregular weights, the same in every run. */
function weights(...shape: number[]): Tensor {
  const values = Float32Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(12.9898 * (i + 1)))
  return hostTensor(float32Data(values, shape))
}

async function compute(graph: Graph, [b, c, h, w]: readonly [number, number, number, number]) {
  const session = await runtime.InferenceSession.create(writeOnnx(lower(graph, {})), {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  })
  const values = Float32Array.from({ length: b * c * h * w }, (_, i) => Math.cos(0.37 * i))
  const { y } = await session.run({ x: new runtime.Tensor(values, [b, c, h, w]) })
  return y?.data as Float32Array
}

function count(graph: Graph, op: Op): number {
  return graph.nodes.filter((node) => node.op === op).length
}

/** Largest difference between the outputs of two graphs, relative to the largest value. */
async function difference(a: Graph, b: Graph, size: readonly [number, number, number, number]) {
  const expected = await compute(a, size)
  const actual = await compute(b, size)
  expect(actual.length).toBe(expected.length)
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (actual[i] ?? 0))), 0) / largest
}

const rounding = 2e-6 // float32 sums in a different order

/** Restormer's feed-forward: 1×1, depth-wise 3×3, gate, 1×1; with biases, to exercise every constant. */
function gatedFeedForward(hidden: number, shape: readonly (number | string)[]): Graph {
  const into = weights(2 * hidden, 8, 1, 1)
  const out = weights(8, hidden, 1, 1)
  const intoBias = weights(2 * hidden)
  const middleBias = weights(2 * hidden)
  const outBias = weights(8)
  const middle = weights(2 * hidden, 1, 3, 3)
  return trace([{ name: 'x', shape }], ({ x }) => {
    const wide = x!.conv2d(into, intoBias).conv2d(middle, middleBias, { padding: 1, groups: 2 * hidden })
    const [gate, value] = wide.chunk(2, 1)
    return { y: gate.gelu().mul(value).conv2d(out, outBias).add(x!) }
  })
}

describe('slices of channels', () => {
  test('move into the weights of dense and depth-wise convolutions', async () => {
    const graph = gatedFeedForward(21, [1, 8, 5, 6])
    const sliced = pushSlicesThroughConvs(graph)
    expect(count(graph, 'slice')).toBe(2)
    expect(count(sliced, 'slice')).toBe(0)
    expect(count(sliced, 'conv2d')).toBe(5)
    expect(await difference(graph, sliced, [1, 8, 5, 6])).toBeLessThan(rounding)
  })

  test('stay if the whole is used too', () => {
    const graph = trace([{ name: 'x', shape: [1, 8, 4, 4] }], ({ x }) => {
      const whole = x!.conv2d(weights(8, 8, 1, 1), undefined)
      return { y: whole.slice(1, 0, 4), whole }
    })
    expect(pushSlicesThroughConvs(graph)).toBe(graph)
  })

  test('stay after a grouped convolution that is not depth-wise', () => {
    const graph = trace([{ name: 'x', shape: [1, 8, 4, 4] }], ({ x }) => ({
      y: x!.conv2d(weights(8, 4, 1, 1), undefined, { groups: 2 }).slice(1, 0, 4),
    }))
    expect(pushSlicesThroughConvs(graph)).toBe(graph)
  })
})

describe('hidden channels', () => {
  test('are padded to whole blocks without changing the result', async () => {
    const graph = pushSlicesThroughConvs(gatedFeedForward(29, [1, 8, 5, 6]))
    const padded = padHiddenChannels(graph)
    const channels = padded.nodes.flatMap((node) => (node.op === 'conv2d' ? [node.output.shape[1]] : []))
    expect(channels).toEqual([32, 32, 32, 32, 8])
    expect(await difference(graph, padded, [1, 8, 5, 6])).toBeLessThan(rounding)
  })

  test('are not padded if that would add more than a quarter', () => {
    const graph = pushSlicesThroughConvs(gatedFeedForward(20, [1, 8, 5, 6]))
    expect(padHiddenChannels(graph).nodes).toEqual(graph.nodes)
  })

  test('are not padded if an op in between is not channelwise', () => {
    const graph = trace([{ name: 'x', shape: [1, 8, 4, 4] }], ({ x }) => {
      const hidden = x!.conv2d(weights(29, 8, 1, 1), undefined)
      const wide = hidden.conv2d(weights(29, 1, 3, 3), undefined, { padding: 1, groups: 29 })
      return { y: wide.softmax(1).conv2d(weights(8, 29, 1, 1), undefined) }
    })
    expect(padHiddenChannels(graph).nodes).toEqual(graph.nodes)
  })

  test('are not padded through a function that is not zero at zero', () => {
    const graph = trace([{ name: 'x', shape: [1, 8, 4, 4] }], ({ x }) => {
      const hidden = x!.conv2d(weights(29, 8, 1, 1), undefined)
      const wide = hidden.conv2d(weights(29, 1, 3, 3), undefined, { padding: 1, groups: 29 })
      return { y: wide.exp().conv2d(weights(8, 29, 1, 1), undefined) }
    })
    expect(padHiddenChannels(graph).nodes).toEqual(graph.nodes)
  })

  test('are computed in bands of rows if they are wide, with the same result', async () => {
    const size = [1, 8, 96, 160] as const
    const graph = pushSlicesThroughConvs(gatedFeedForward(144, size))
    const cut = cutHiddenRows(graph)
    // 3 bands of 32 rows, each with 2 + 2 + 1 convolutions.
    expect(count(cut, 'conv2d')).toBe(3 * 5)
    expect(
      cut.nodes.filter(({ op }) => op === 'cat').map(({ inputs }) => inputs.map(({ shape }) => shape[2])),
    ).toEqual([[32, 32, 32]])
    expect(await difference(graph, cut, size)).toBeLessThan(rounding)
  })

  test('stay whole in small images and in graphs for any size', () => {
    for (const shape of [
      [1, 8, 16, 16],
      [1, 8, 'h', 'w'],
    ]) {
      const graph = pushSlicesThroughConvs(gatedFeedForward(144, shape))
      expect(cutHiddenRows(graph)).toBe(graph)
    }
  })
})

test('nodes that no output needs are removed', () => {
  const graph = trace([{ name: 'x', shape: [2] }], ({ x }) => {
    x!.exp().log()
    return { y: x!.abs() }
  })
  expect(removeDeadNodes(graph).nodes.map(({ op }) => op)).toEqual(['abs'])
})

describe('PReLU after a convolution', () => {
  const activated = (channels: number, isAfterConv = true) =>
    trace([{ name: 'x', shape: [1, isAfterConv ? 3 : channels, 'h', 'w'] }], ({ x }) => {
      const map = isAfterConv ? x!.conv2d(weights(channels, 3, 3, 3), weights(channels), { padding: 1 }) : x!
      return { y: map.prelu(weights(channels)) }
    })

  test('becomes depth-wise convolutions, in which the channels stay blocked', async () => {
    const graph = activated(32)
    const rewritten = preluByConvs(graph)
    expect(rewritten.nodes.map(({ op }) => op)).toEqual(['conv2d', 'conv2d', 'relu', 'conv2d', 'add'])
    expect(await difference(graph, rewritten, [1, 3, 9, 7])).toBeLessThan(rounding)
  })

  test('stays where the channels are not in blocks', () => {
    for (const graph of [activated(12), activated(32, false)])
      expect(count(preluByConvs(graph), 'prelu')).toBe(1)
  })
})

test('all rewrites together preserve the result of a graph for any size', async () => {
  const graph = gatedFeedForward(29, ['b', 8, 'h', 'w'])
  expect(await difference(graph, optimize(graph), [2, 8, 7, 9])).toBeLessThan(rounding)
})

describe('a pixel shuffle', () => {
  const enlarging = (factor: number, size: number, out: number) => {
    const weight = weights(out, 2, size, size)
    const bias = weights(out)
    return trace([{ name: 'x', shape: [1, 2 * factor ** 2, 5, 6] }], ({ x }) => ({
      y: x!.pixelShuffle(factor).conv2d(weight, bias, { padding: (size - 1) / 2 }),
    }))
  }

  test.each([
    [2, 3],
    [3, 3],
    [2, 5],
    [4, 9],
    [2, 1],
  ])('by %i moves after a %i × %i convolution with few output channels', async (factor, size) => {
    const graph = enlarging(factor, size, 2)
    const moved = shuffleAfterConvs(graph)
    expect(moved.nodes.map(({ op }) => op)).toEqual(['conv2d', 'pixelShuffle'])
    expect(await difference(graph, moved, [1, 2 * factor ** 2, 5, 6])).toBeLessThan(rounding)
  })

  test('stays before a convolution with many output channels, one that shrinks the image, or another use', () => {
    const order = (graph: Graph) => shuffleAfterConvs(graph).nodes.map(({ op }) => op)
    expect(order(enlarging(2, 3, 16))).toEqual(['pixelShuffle', 'conv2d'])
    const shrinking = trace([{ name: 'x', shape: [1, 4, 5, 6] }], ({ x }) => ({
      y: x!.pixelShuffle(2).conv2d(weights(1, 1, 3, 3), undefined, {}),
    }))
    expect(order(shrinking)).toEqual(['pixelShuffle', 'conv2d'])
    const both = trace([{ name: 'x', shape: [1, 4, 5, 6] }], ({ x }) => {
      const large = x!.pixelShuffle(2)
      return { y: large.conv2d(weights(1, 1, 3, 3), undefined, { padding: 1 }), large }
    })
    expect(order(both)).toEqual(['pixelShuffle', 'conv2d'])
  })
})
