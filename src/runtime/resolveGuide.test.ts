import { expect, test } from 'vitest'
import { conditionalUnet, universalUnet } from '../models/conditionalUnet/conditionalUnet.ts'
import { findCard } from '../registry/cards.ts'
import { resolveGuide, resolveModel } from './resolveModel.ts'

const universal = conditionalUnet.fromOptions(universalUnet)

test('the error for a missing guide names the one in the card', () => {
  const request = { weights: 'universal-ir.pth', card: findCard('daclip-universal'), guide: undefined }
  expect(() => resolveGuide(universal, request)).toThrow(
    'universal-ir.pth: expected --guide FILE, the DA-CLIP of 512 features that it was trained with, got none; pass the file daclip_ViT-B-32.pt',
  )
  expect(() => resolveModel({ model: 'daclip-universal' })).toThrow(
    'expected --weights FILE with the official file universal-ir.pth and --guide FILE with daclip_ViT-B-32.pt',
  )
})

test('a network without embeddings needs no guide', () => {
  const plain = conditionalUnet.fromOptions()
  expect(resolveGuide(plain, { weights: 'x.pth', card: undefined, guide: undefined })).toBeUndefined()
})
