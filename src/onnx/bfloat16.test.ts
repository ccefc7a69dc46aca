import { describe, expect, test } from 'vitest'
import { elementCount, float32Data } from '../core/data.ts'
import { centerChannels } from '../core/functional.ts'
import { hostTensor } from '../core/hostBackend.ts'
import type { Tensor } from '../core/tensor.ts'
import { inBfloat16 } from './bfloat16.ts'
import { fuseNorms } from './fuseNorms.ts'
import type { Graph } from './graph.ts'
import { trace } from './tracer.ts'

const ones = (...shape: number[]) =>
  hostTensor(float32Data(new Float32Array(elementCount(shape)).fill(1), shape))
const conv = { stride: 1, padding: 0, groups: 1 }

function traced(forward: (x: Tensor) => Tensor): Graph {
  return trace([{ name: 'x', shape: [1, 4, 6, 5] }], ({ x }) => ({ y: forward(x as Tensor) }))
}

/** Ops with the dtypes of their inputs. */
function described({ nodes }: Graph): readonly string[] {
  return nodes.map(({ op, inputs }) => `${op} ${inputs.map(({ dtype }) => dtype).join(' ')}`)
}

describe('bfloat16', () => {
  test('is the dtype of products and what follows, and a residual is added in float32', () => {
    const weight = ones(4, 4, 1, 1)
    const graph = inBfloat16(traced((x) => x.conv2d(weight, undefined, conv).relu().add(x)))
    expect(described(graph)).toEqual([
      'cast float32',
      'cast float32',
      'conv2d bfloat16 bfloat16',
      'relu bfloat16',
      'cast bfloat16',
      'add float32 float32',
    ])
    expect(graph.outputs.map(({ value }) => value.dtype)).toEqual(['float32'])
  })

  test('is cast to float32 in outputs, and once for several uses', () => {
    const weight = ones(4, 4, 1, 1)
    const graph = inBfloat16(
      traced((x) => x.conv2d(weight, undefined, conv).mul(x.conv2d(weight, undefined, conv))),
    )
    expect(described(graph).filter((node) => node === 'cast float32')).toHaveLength(2)
    expect(described(graph).at(-1)).toBe('cast bfloat16')
  })

  test('never holds positions in a picture', () => {
    const [features, positions] = [ones(4, 4, 1, 1), ones(2, 4, 1, 1)]
    const graph = inBfloat16(
      traced((x) => {
        const grid = x.conv2d(positions, undefined, conv).permute([0, 2, 3, 1])
        return x.conv2d(features, undefined, conv).gridSample(grid)
      }),
    )
    expect(described(graph)).toContain('gridSample float32 float32')
  })
})

describe('norms over channels', () => {
  const normalized = (x: Tensor) => {
    const [centered, inverseDeviation] = centerChannels(x, 1e-5)
    return centered.mul(inverseDeviation)
  }

  test('become one kernel', () => {
    const graph = fuseNorms(traced(normalized))
    expect(graph.nodes.map(({ op }) => op)).toEqual(['permute', 'layerNorm', 'permute'])
    expect(graph.nodes[1]?.attrs).toEqual({ eps: 1e-5 })
  })

  test('stay as they are where anything else is divided by the deviation', () => {
    const graph = traced((x) => x.mul(centerChannels(x, 1e-5)[1]))
    expect(fuseNorms(graph).nodes).toEqual(graph.nodes)
  })
})
