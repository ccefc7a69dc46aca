import { describe, expect, test } from 'vitest'
import type { Checkpoint } from '../checkpoints/checkpoint.ts'
import { memorySource } from '../checkpoints/checkpoint.ts'
import { openCheckpoint } from '../checkpoints/open.ts'
import { encodeSafetensors } from '../checkpoints/safetensors.ts'
import { Restormer, restormerDefaults } from '../models/restormer/restormer.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { describeNetwork } from './loadModel.ts'

function checkpoint(): Checkpoint {
  const options = { ...restormerDefaults, dim: 8, numBlocks: [1, 1, 1, 1], numRefinementBlocks: 1 } as const
  const network = new Restormer(
    randomInit(() => 0.5),
    options,
  )
  const tensors = new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()]))
  return openCheckpoint(memorySource(encodeSafetensors(tensors)))
}

describe('overridden options', () => {
  test('replace the options that the weights imply', () => {
    expect(describeNetwork(checkpoint(), { heads: [1, 1, 1, 1] }).options).toMatchObject({
      dim: 8,
      heads: [1, 1, 1, 1],
    })
  })

  test.each([
    [{ dim: 'x' }, 'options: expected dim of the same type as 48, got "x"'],
    [{ numBlocks: 1 }, 'options: expected numBlocks of the same type as [4,6,6,8], got 1'],
    [{ heads: [1, 2, 4, 8, 8] }, 'options: expected heads of the same type as [1,2,4,8], got [1,2,4,8,8]'],
    [{ heads: [1, 2, 4, null] }, 'options: expected heads of the same type as [1,2,4,8], got [1,2,4,null]'],
    [{ bias: null }, 'options: expected bias of the same type as false, got null'],
    [{ toString: 1 }, "unknown network option 'toString': expected one of channelsIn, channelsOut, dim,"],
  ])('are rejected if unknown or mistyped: %j', (overrides, message) => {
    expect(() => describeNetwork(checkpoint(), overrides)).toThrow(message)
  })
})
