// What a preview of a repair runs.

import { expect, test } from 'vitest'
import type { Image } from '../data/image.ts'
import { wholeOf } from '../data/parts.ts'
import { licenses } from '../models/modelCard.ts'
import { previewRepair, type StepRequest } from './repair.ts'

test('a preview runs each step once, with its first model and its strength, and enlarges last', async () => {
  const planes: Image = { width: 8, height: 8, channels: 3, data: new Float32Array(192) }
  const asked: (StepRequest & { readonly strength: number | undefined })[] = []
  const model = async (request: StepRequest) => ({
    facts: {
      model: request.model ?? 'upscale',
      network: 'light',
      sha256: '',
      device: 'cpu',
      backend: 'onnx',
      dtype: 'float32',
    } as const,
    license: licenses.apache,
    runStep: async (
      image: Parameters<typeof wholeOf>[0],
      { strength }: { readonly strength?: number | undefined },
    ) => {
      asked.push({ ...request, strength })
      return { image: wholeOf(image), tiles: { count: 1, px: undefined } }
    },
    close: async () => {},
  })
  const steps = [
    { damages: ['noise'], task: 'photo', models: ['light-photo', 'light-denoise'], strength: 0.5 },
    { damages: ['haze'], task: 'dehaze', models: ['light-tone'], strength: 1 },
  ] as const
  const { steps: done } = await previewRepair(
    planes,
    { findings: [], steps },
    { scale: 2, options: {}, model },
  )
  expect(asked).toEqual([
    { model: 'light-photo', task: undefined, strength: 0.5 },
    { model: 'light-tone', task: 'dehaze', strength: 1 },
    { task: 'upscale', scale: 2, strength: 1 },
  ])
  expect(done.map(({ task }) => task)).toEqual(['photo', 'dehaze', 'upscale'])
})
