import { describe, expect, test } from 'vitest'
import type { Shape } from './dims.ts'
import { broadcast, shapeOf } from './shapes.ts'

const none = {}
const image: Shape = [2, 4, 8, 6]

describe('broadcasting', () => {
  test('follows torch', () => {
    expect(broadcast('add', [2, 3, 4], [3, 1])).toEqual([2, 3, 4])
    expect(broadcast('add', [], [5])).toEqual([5])
    expect(broadcast('add', [3, 1], [1, 4])).toEqual([3, 4])
  })

  test('keeps names', () => {
    expect(broadcast('add', ['b', 3, 'h', 'w'], [1, 3, 1, 1])).toEqual(['b', 3, 'h', 'w'])
    expect(broadcast('add', [1, 'n'], ['b', 1])).toEqual(['b', 'n'])
  })

  test('rejects a name against another name or number, even if they may be equal at run time', () => {
    expect(() => broadcast('mul', ['h'], ['w'])).toThrow(
      'mul: expected shapes that broadcast, got [h] and [w]',
    )
    expect(() => broadcast('mul', ['h'], [3])).toThrow('got [h] and [3]')
  })
})

describe('rejects wrong shapes', () => {
  // [what is wrong, call, message]
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    [
      'shapes that do not broadcast',
      () => shapeOf.add(none, [[2, 3], [4]]),
      'add: expected shapes that broadcast, got [2 3] and [4]',
    ],
    ['a missing input', () => shapeOf.add(none, [[2]]), 'add: expected at least 2 inputs, got 1'],
    [
      'mismatched inner sizes of a product',
      () =>
        shapeOf.matmul(none, [
          [2, 3],
          [4, 5],
        ]),
      'matmul: expected [… n k] and [… k m], got [2 3] and [4 5]',
    ],
    [
      'a product with a vector',
      () => shapeOf.matmul(none, [[2, 3], [3]]),
      'matmul: expected [… n k] and [… k m], got [2 3] and [3]',
    ],
    [
      'mismatched features of a linear layer',
      () =>
        shapeOf.linear(none, [
          [2, 4],
          [3, 5],
        ]),
      'linear: expected a weight [o 4] for an input [2 4], got [3 5]',
    ],
    [
      'a bias of another length',
      () => shapeOf.linear(none, [[2, 4], [3, 4], [4]]),
      'linear: expected a bias [3], got [4]',
    ],
    [
      'mismatched channels of a convolution',
      () => shapeOf.conv2d({ stride: 1, padding: 1, groups: 1 }, [image, [8, 3, 3, 3]]),
      'conv2d: expected a weight [o 4 k k] for an input [2 4 8 6] in 1 group(s), got [8 3 3 3]',
    ],
    [
      'groups that do not divide the outputs',
      () => shapeOf.conv2d({ stride: 1, padding: 1, groups: 2 }, [image, [3, 2, 3, 3]]),
      'conv2d: expected a weight [o 2 k k] for an input [2 4 8 6] in 2 group(s), got [3 2 3 3]',
    ],
    [
      'a convolution bias of another length',
      () => shapeOf.conv2d({ stride: 1, padding: 1, groups: 1 }, [image, [8, 4, 3, 3], [4]]),
      'conv2d: expected a bias [8], got [4]',
    ],
    [
      'an image of rank 3',
      () =>
        shapeOf.conv2d({ stride: 1, padding: 1, groups: 1 }, [
          [4, 8, 6],
          [8, 4, 3, 3],
        ]),
      'conv2d: expected an input [b c h w], got [4 8 6]',
    ],
    [
      'an image smaller than the kernel',
      () =>
        shapeOf.conv2d({ stride: 1, padding: 1, groups: 1 }, [
          [1, 4, 2, 9],
          [8, 4, 5, 5],
        ]),
      'conv2d: expected an image of at least 3 pixels per side, got 2',
    ],
    [
      'affine weights of another length',
      () => shapeOf.layerNorm({ eps: 1e-5 }, [[2, 8], [8], [7]]),
      'layerNorm: expected weight and bias [8] for an input [2 8], got [7]',
    ],
    [
      'a scalar to normalize',
      () => shapeOf.layerNorm({ eps: 1e-5 }, [[]]),
      'layerNorm: expected at least one dimension, got a scalar',
    ],
    [
      'a dimension out of range',
      () => shapeOf.softmax({ dim: 2 }, [[2, 3]]),
      'softmax: expected a dimension of [2 3], got 2',
    ],
    [
      'a reduction over no dimension',
      () => shapeOf.sum({ dims: [], keepDim: false }, [[2, 3]]),
      'sum: expected dimensions of [2 3], got none',
    ],
    [
      'a reduced dimension out of range',
      () => shapeOf.mean({ dims: [0, 5], keepDim: true }, [[2, 3]]),
      'mean: expected a dimension of [2 3], got 5',
    ],
    [
      'too much padding of a pool',
      () => shapeOf.maxPool2d({ kernel: 2, stride: 2, padding: 2 }, [image]),
      'maxPool2d: expected a padding of at most half the kernel 2, got 2',
    ],
    [
      'indivisible channels of a pixel shuffle',
      () => shapeOf.pixelShuffle({ factor: 3 }, [image]),
      'pixelShuffle: expected channels divisible by 9, got 4',
    ],
    [
      'a wrong number of elements',
      () => shapeOf.reshape({ shape: [5] }, [[2, 3]]),
      'reshape: expected 6 elements as in [2 3], got [5]',
    ],
    [
      'a size that does not divide',
      () => shapeOf.reshape({ shape: [4, -1] }, [[2, 3]]),
      'reshape: expected sizes that divide [2 3], got [4 -1]',
    ],
    [
      'two unknown sizes',
      () => shapeOf.reshape({ shape: [-1, -1] }, [[2, 3]]),
      'reshape: expected sizes that divide [2 3], got [-1 -1]',
    ],
    [
      'a dimension twice',
      () => shapeOf.permute({ dims: [0, 0] }, [[2, 3]]),
      'permute: expected every dimension of [2 3] once, got (0,0)',
    ],
    [
      'a missing dimension',
      () => shapeOf.permute({ dims: [0, 2] }, [[2, 3]]),
      'permute: expected dimensions of [2 3], got (0,2)',
    ],
    [
      'an expanded size other than 1',
      () => shapeOf.expand({ shape: [4, 3] }, [[2, 3]]),
      'expand: expected sizes of 1 where [2 3] grows, got [4 3]',
    ],
    [
      'fewer dimensions',
      () => shapeOf.expand({ shape: [3] }, [[1, 3]]),
      'expand: expected sizes of 1 where [1 3] grows, got [3]',
    ],
    [
      'an end beyond the size',
      () => shapeOf.slice({ dim: 1, start: 0, end: 4, step: 1 }, [[2, 3]]),
      'slice: expected 0 ≤ start ≤ end ≤ 3 and step ≥ 1 in dimension 1 of [2 3], got 0:4:1',
    ],
    [
      'parts that differ in another dimension',
      () =>
        shapeOf.cat({ dim: 1 }, [
          [2, 3],
          [3, 3],
        ]),
      'cat: expected equal shapes except in dimension 1, got [2 3], [3 3]',
    ],
    [
      'an odd list of paddings',
      () => shapeOf.pad({ padding: [1], mode: 'constant', value: 0 }, [[2, 3]]),
      'pad: expected (before, after) for at most 2 dimensions, got (1)',
    ],
    [
      'a reflection of the whole size',
      () => shapeOf.pad({ padding: [0, 3], mode: 'reflect', value: 0 }, [[2, 3]]),
      'pad: expected reflected padding below the size 3, got 3',
    ],
    [
      'a weight of rank 1',
      () => shapeOf.embedding(none, [[2], [3]]),
      'embedding: expected a weight [entries d], got [2]',
    ],
    [
      'an index of another rank',
      () => shapeOf.gather({ dim: 0 }, [[2, 3], [3]]),
      'gather: expected an index of rank 2, got [3]',
    ],
  ]
  test.each(cases)('%s', (_, call, message) => expect(call).toThrow(message))
})

describe('sizes known only at run time', () => {
  const named: Shape = ['b', 4, 'h', 'w']

  test('pass through ops that keep the size of an image', () => {
    for (const [kernel, padding] of [
      [1, 0],
      [3, 1],
      [7, 3],
    ] as const) {
      const weight = [8, 4, kernel, kernel]
      expect(shapeOf.conv2d({ stride: 1, padding, groups: 1 }, [named, weight])).toEqual(['b', 8, 'h', 'w'])
    }
  })

  test('are divided by strides and multiplied by factors', () => {
    expect(shapeOf.conv2d({ stride: 2, padding: 1, groups: 1 }, [named, [8, 4, 3, 3]])).toEqual([
      'b',
      8,
      'h/2',
      'w/2',
    ])
    expect(shapeOf.maxPool2d({ kernel: 2, stride: 2, padding: 0 }, [named])).toEqual(['b', 4, 'h/2', 'w/2'])
    expect(shapeOf.pixelShuffle({ factor: 2 }, [['b', 4, 'h/2', 'w/2']])).toEqual(['b', 1, 'h', 'w'])
    expect(shapeOf.upsampleBilinear({ factor: 4 }, [named])).toEqual(['b', 4, '4*h', '4*w'])
  })

  test('are inferred by reshape', () => {
    expect(shapeOf.reshape({ shape: ['b', 4, -1] }, [named])).toEqual(['b', 4, 'h*w'])
    expect(shapeOf.reshape({ shape: ['b', 4, 'h/2', 2, 'w'] }, [named])).toEqual(['b', 4, 'h/2', 2, 'w'])
  })

  test('are rejected by ops that need a number, with op and dimension', () => {
    const message = (op: string, dim: string) =>
      `${op}: needs a fixed size, but '${dim}' is known only at run time`
    const attrs = { stride: 1, padding: 0, groups: 1 }
    expect(() => shapeOf.conv2d(attrs, [named, [8, 4, 3, 3]])).toThrow(message('conv2d', 'h'))
    expect(() => shapeOf.slice({ dim: 3, start: 0, end: 1, step: 1 }, [named])).toThrow(message('slice', 'w'))
    expect(() => shapeOf.cat({ dim: 2 }, [named, named])).toThrow(message('cat', 'h'))
    expect(() => shapeOf.pad({ padding: [0, 1], mode: 'constant', value: 0 }, [named])).toThrow(
      message('pad', 'w'),
    )
  })
})
