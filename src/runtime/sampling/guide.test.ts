import { expect, test } from 'vitest'
import { conditionalUnetDefaults, universalUnet } from '../../models/conditionalUnet/conditionalUnet.ts'
import { findCard } from '../../registry/networks.ts'
import { findGuide, findModel } from '../resolveModel.ts'

const universal = {
  model: 'conditional-unet',
  options: { ...conditionalUnetDefaults, ...universalUnet },
} as const

test('a card names the guide that is missing', () => {
  const request = { weights: 'universal-ir.pth', card: findCard('daclip-universal'), guide: undefined }
  expect(() => findGuide(universal, request)).toThrow(
    'universal-ir.pth: expected --guide FILE, the DA-CLIP of 512 features that it was trained with, got none; give the file daclip_ViT-B-32.pt',
  )
  expect(() => findModel({ model: 'daclip-universal' })).toThrow(
    'expected --weights FILE with the official file universal-ir.pth and --guide FILE with daclip_ViT-B-32.pt',
  )
})

test('a network that sees the photo alone needs none', () => {
  const plain = { model: 'conditional-unet', options: conditionalUnetDefaults } as const
  expect(findGuide(plain, { weights: 'x.pth', card: undefined, guide: undefined })).toBeUndefined()
})
