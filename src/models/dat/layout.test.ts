import { expect, test } from 'vitest'
import { float32Data } from '../../core/data.ts'
import { emptyInit } from '../../nn/init.ts'
import { stateDict } from '../../nn/module.ts'
import { recognize } from '../../registry/loadModel.ts'
import { Dat, datDefaults } from './dat.ts'
import { relativePositions } from './positions.ts'

test.each([
  [8, 16],
  [16, 8],
  [2, 4],
  [6, 6],
] as const)(
  'a window of %i × %i pixels is found by the positions, as this library saves them too',
  (...window) => {
    const network = new Dat(emptyInit(), {
      ...datDefaults,
      channels: 8,
      depths: [1],
      heads: [2],
      hidden: 8,
      window,
    })
    const tensors = new Map(
      [...stateDict(network)].map(([key, { shape }]) => {
        const sizes = shape.map(Number)
        const isPositions = key.endsWith('rpe_biases')
        const values = isPositions
          ? Float32Array.from(relativePositions(key.includes('attns.0') ? window : [window[1], window[0]]))
          : new Float32Array(sizes.reduce((a, b) => a * b, 1))
        return [
          key,
          { dtype: 'float32' as const, shape: sizes, read: () => float32Data(values, sizes).bytes },
        ]
      }),
    )
    const checkpoint = {
      name: 'dat',
      tensors,
      metadata: new Map(),
      container: 'zip',
      path: [],
      prefix: '',
      others: [],
    } as const
    expect(recognize(checkpoint)).toMatchObject({ id: 'dat', options: { window } })
  },
)
