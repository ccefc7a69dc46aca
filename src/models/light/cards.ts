// Weights of the light network.

import { freePhotos } from '../modelCard.ts'
import type { NetworkFacts } from '../networkDescriptor.ts'

const light = {
  task: 'denoise',
  scale: 1,
  options: {},
  license: 'apache',
  paper: 'arXiv:2204.04676',
} as const

export const lightFacts = {
  id: 'light',
  signature: {
    keys: ['intro.weight', 'encoders.0.0.norm1.body.weight', 'middle.0.beta', 'ending.weight'],
  },
  license: 'apache',
  cards: [
    {
      ...light,
      id: 'light-photo',
      task: 'photo',
      title: 'Light, noise and compression typical of cameras and the web; small and fast',
      checkpoint: 'light-photo.safetensors',
      version: 2,
      secondsPerMegapixel: 2.1,
      sha256: '1128366705f7423df7bd3e49ae928147e4d59b84259f2bb429f714d5fb50f3b1',
      sizeBytes: 7_002_992,
      reference: {
        set: 'GB82-CC0',
        protocol: 'RGB, 8-bit, jpeg:quality=40',
        inputPsnr: 34.05,
        psnr: 35.61,
        command: 'limpid eval --model light-photo --data GB82-CC0 --metrics psnr --degrade jpeg:quality=40',
      },
      training: {
        data: freePhotos,
        command:
          'limpid train recipes/light-photo.ts --data PHOTOS --set network.weights=weights/light-photo.safetensors --set validate.images.root=CBSD68 --out runs/light-photo',
      },
    },
    {
      ...light,
      id: 'light-weather',
      task: 'derain',
      title: 'Light, rain and snow; small and fast',
      checkpoint: 'light-weather.safetensors',
      version: 1,
      secondsPerMegapixel: 2.1,
      sha256: '3b451eb016fcfb1addb192fdbbe4faa93c734b175011fb3c04a210898c2eaa3b',
      sizeBytes: 7_002_984,
      reference: {
        set: 'CBSD68',
        protocol: 'RGB, 8-bit, rain',
        inputPsnr: 20.93,
        psnr: 25.75,
        command: 'limpid eval --model light-weather --data CBSD68 --metrics psnr --degrade rain',
      },
      training: {
        data: freePhotos,
        command:
          'limpid train recipes/light-weather.ts --data PHOTOS --set network.weights=weights/light-photo.safetensors --set validate.images.root=CBSD68 --out runs/light-weather',
      },
    },
    {
      ...light,
      id: 'light-denoise',
      title: 'Light, Gaussian noise of any strength up to 50 in color photos; small and fast',
      checkpoint: 'light-denoise.safetensors',
      version: 1,
      secondsPerMegapixel: 2.1,
      sha256: '8e713f99f4cbad650cff9312b0026df8952d720a8bbc37cd906af8ab55fb2157',
      sizeBytes: 7_002_992,
      reference: {
        set: 'CBSD68',
        protocol: 'RGB, 8-bit, sigma 25',
        inputPsnr: 20.54,
        psnr: 31.14,
        command: 'limpid eval --model light-denoise --data CBSD68 --protocol restormer-gaussian-color',
      },
      training: {
        data: freePhotos,
        command:
          'limpid train recipes/light-denoise.ts --data PHOTOS --set validate.images.root=CBSD68 --out runs/light-denoise',
      },
    },
  ],
} as const satisfies NetworkFacts
