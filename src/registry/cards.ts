// The model cards: what each published set of weights is, what it expects and what its paper reports. Pure data, safe in a browser.

import { restoringSde, type Sampler, type SdeOptions } from '../diffusion/irsde.ts'
import type { ModelId } from './networkSignatures.ts'
import type { detection, TaskId } from './tasks.ts'

export const licenses = {
  apache: {
    title: 'Apache License 2.0',
    isCommercial: true,
    note: 'Free for any use under the Apache License 2.0.',
  },
  academic: {
    title: 'Academic Public License (Restormer)',
    isCommercial: false,
    note: 'Code and official weights of Restormer are for non-commercial use only; ask its authors for anything else.',
  },
  mit: {
    title: 'MIT License',
    isCommercial: true,
    note: 'Free for any use under the MIT License.',
  },
} as const

export type LicenseId = keyof typeof licenses

export interface License {
  readonly title: string
  readonly isCommercial: boolean
  readonly note: string
}

/** The license of weights: what their own card says, as `limpid train` writes it, else that of the network's official ones. */
export function licenseOf(metadata: ReadonlyMap<string, string>, official: LicenseId): License {
  const told: unknown = Reflect.get(ownCard(metadata), 'license')
  if (typeof told !== 'string') return licenses[official]
  const known = Object.entries(licenses).find(([id]) => id === told)
  return known?.[1] ?? { title: told, isCommercial: true, note: `As the card of the weights says: ${told}.` }
}

/** The card that `limpid train` wrote into a file of weights; empty where there is none that can be read. */
export function ownCard(metadata: ReadonlyMap<string, string>): object {
  return objectOf(metadata.get('card'))
}

/** A JSON object; empty for any other text. */
export function objectOf(text: string | undefined): object {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

export interface ModelCard {
  readonly id: string
  readonly model: ModelId
  readonly task: TaskId | typeof detection.id
  readonly title: string
  /** Size of the output over the size of the input. */
  readonly scale: number
  /** Options that differ from the network's defaults: the number of channels, for instance. */
  readonly options: Readonly<Record<string, unknown>>
  /** Name of the official file, or of that in the package. */
  readonly checkpoint: string
  /** Of the file in the package, where it is there. */
  readonly sha256?: string
  readonly license: LicenseId
  readonly paper: string
  /** What the paper reports, or what was measured here by a command, with its protocol. */
  readonly reference?: {
    readonly set: string
    readonly protocol: string
    /** In dB, of what restores. */
    readonly psnr?: number
    /** Share of right answers, 0..1, of what tells. */
    readonly accuracy?: number
    readonly command?: string
  }
  /** How weights of our own came to be: what they learned from, and the command that trains them. */
  readonly training?: { readonly data: string; readonly command: string }
  /** How the picture is sampled, for networks that restore in steps. */
  readonly sampling?: { readonly sde: SdeOptions; readonly sampler: Sampler }
  /** The DA-CLIP whose embeddings the network takes: the id of one in the package, else its official file. */
  readonly guide?: string
}

/** Whether weights are Limpid's own, which the package keeps by their id. */
export function isOwn({ id, checkpoint }: Pick<ModelCard, 'id' | 'checkpoint'>): boolean {
  return checkpoint === `${id}.safetensors`
}

/** The figure of a card in words; empty where it has none. */
export function figureOf({ reference }: Pick<ModelCard, 'reference'>): string {
  if (reference?.psnr !== undefined) return `${reference.psnr.toFixed(2)} dB`
  return reference?.accuracy === undefined ? '' : `${(100 * reference.accuracy).toFixed(1)} % right`
}

const restormer = { model: 'restormer', scale: 1, license: 'academic', paper: 'arXiv:2111.09881' } as const
const gaussianColor = { ...restormer, task: 'denoise', options: { layerNorm: 'BiasFree' } } as const
const gaussianGray = {
  ...restormer,
  task: 'denoise',
  options: { channelsIn: 1, channelsOut: 1, layerNorm: 'BiasFree' },
} as const

const ipt = { model: 'ipt', license: 'apache', paper: 'arXiv:2012.00364' } as const
const iptOnly = (scale: number) => ({ ...ipt, scale, options: { scales: [scale], queries: 1 } })
const irsde = {
  model: 'conditional-unet',
  scale: 1,
  options: {},
  license: 'mit',
  paper: 'arXiv:2301.11699',
  sampling: { sde: { ...restoringSde, maxSigma: 10 }, sampler: 'posterior' },
} as const
const dasr = { model: 'dasr', task: 'upscale', license: 'mit', paper: 'arXiv:2104.00416' } as const

const light = {
  model: 'light',
  task: 'denoise',
  scale: 1,
  options: {},
  license: 'apache',
  paper: 'arXiv:2204.04676',
} as const
const freePhotos = '234 free photos, listed with their authors and licenses in weights/ATTRIBUTION.tsv'

export const cards = [
  {
    ...light,
    id: 'light-photo',
    title: 'Light, noise and compression as cameras and the web leave them; small and fast',
    checkpoint: 'light-photo.safetensors',
    sha256: 'e1b3174b7948061a631961f7cb8feef7e9672bc2d36ef32bd102df36d33b6266',
    reference: {
      set: 'GB82-CC0',
      protocol: 'RGB, 8-bit, camera-noise:shot=0.004,read=2 jpeg:quality=80',
      psnr: 34.29,
      command:
        "limpid eval --model light-photo --data GB82-CC0 --metrics psnr --degrade 'camera-noise:shot=0.004,read=2 jpeg:quality=80'",
    },
    training: {
      data: freePhotos,
      command:
        'limpid train recipes/light-photo.ts --data PHOTOS --set network.weights=runs/light-denoise/weights.safetensors --set validate.images.root=CBSD68 --out runs/light-photo',
    },
  },
  {
    ...light,
    id: 'light-denoise',
    title: 'Light, even noise of any strength up to 50 in color photos; small and fast',
    checkpoint: 'light-denoise.safetensors',
    sha256: '8e713f99f4cbad650cff9312b0026df8952d720a8bbc37cd906af8ab55fb2157',
    reference: {
      set: 'CBSD68',
      protocol: 'RGB, 8-bit, sigma 25',
      psnr: 31.14,
      command: 'limpid eval --model light-denoise --data CBSD68 --protocol restormer-gaussian-color',
    },
    training: {
      data: freePhotos,
      command:
        'limpid train recipes/light-denoise.ts --data PHOTOS --set validate.images.root=CBSD68 --out runs/light-denoise',
    },
  },
  {
    id: 'light-detect',
    model: 'daclip',
    task: 'detect',
    scale: 1,
    title: 'Light DA-CLIP, ten kinds of damage by their names; knows no other words',
    options: {
      ...{ features: 128, patch: 16, visionWidth: 128, stem: [48, 96, 128], visionLayers: 2, visionHeads: 2 },
      ...{ contextLength: 32, textWidth: 48, textLayers: 2, textHeads: 1 },
    },
    checkpoint: 'light-detect.safetensors',
    sha256: 'cca2ccd94cba5246b3b5365e12564f51eaec24753bec56189d6b1a1ed97490fe',
    license: 'apache',
    paper: 'arXiv:2310.01018',
    reference: {
      set: 'CBSD68',
      protocol: 'each photo with each of ten kinds of damage',
      accuracy: 0.966,
      command: 'npx tsx scripts/detectTable.ts weights/light-detect.safetensors CBSD68',
    },
    training: {
      data: freePhotos,
      command: 'limpid train recipes/light-detect.ts --data kinds --out runs/light-detect',
    },
  },
  {
    id: 'light-universal',
    model: 'light-diffusion',
    task: 'universal',
    scale: 1,
    title: 'Light IR-SDE, ten kinds of damage with one network; small and fast',
    options: {},
    checkpoint: 'light-universal.safetensors',
    sha256: 'b311c92b9da04ba5f6036858d107e1772728a5491ce3494aea0a0e96ed2c34d3',
    license: 'apache',
    paper: 'arXiv:2301.11699',
    reference: {
      set: 'CBSD68',
      protocol: 'RGB, 8-bit, mean of ten kinds on squares of the first 10 photos',
      psnr: 21.44,
      command:
        "npx tsx scripts/universalTable.ts weights/light-universal.safetensors weights/light-detect.safetensors CBSD68 10 'posterior 2'",
    },
    training: {
      data: freePhotos,
      command:
        'limpid train recipes/light-universal.ts --data photos-half --set validate.images.root=CBSD68 && limpid train recipes/light-universal-on.ts --data photos-half --set validate.images.root=CBSD68',
    },
    sampling: {
      sde: { ...restoringSde, maxSigma: 10, dataSigma: 40, sampleSteps: 2, sampleTimes: 'matched' },
      sampler: 'posterior',
    },
    guide: 'light-detect',
  },
  {
    ...dasr,
    id: 'dasr-light-x2',
    title: 'Light DASR, ×2 super-resolution of photos with isotropic blur and no noise; small and fast',
    scale: 2,
    options: { scale: 2, groups: 2, blocks: 3, channels: 48, encoderChannels: [32, 64, 128], queueSize: 0 },
    checkpoint: 'dasr-light-x2.safetensors',
    sha256: 'baa687037150489a226f68a244af7b571e0f26207eabb1d3c403a7c6178f81c4',
    license: 'apache',
    reference: {
      set: 'CBSD68',
      protocol: 'Y channel, 8-bit, kernel width 1.2',
      psnr: 31.2,
      command: 'limpid eval --model dasr-light-x2 --data CBSD68 --protocol dasr-iso-x2',
    },
    training: {
      data: freePhotos,
      command:
        'limpid train recipes/dasr/light-x2.ts --data photos-half --set validate.images.root=Set5 --out runs/dasr-light-x2',
    },
  },
  {
    ...restormer,
    id: 'restormer-derain',
    task: 'derain',
    title: 'Restormer, deraining (Rain13K)',
    options: {},
    checkpoint: 'deraining.pth',
    reference: { set: 'Rain100L', protocol: 'Y channel, 8-bit', psnr: 38.99 },
  },
  {
    ...restormer,
    id: 'restormer-motion-deblur',
    task: 'deblur',
    title: 'Restormer, motion deblurring (GoPro)',
    options: {},
    checkpoint: 'motion_deblurring.pth',
    reference: { set: 'GoPro', protocol: 'RGB, 8-bit', psnr: 32.92 },
  },
  {
    ...restormer,
    id: 'restormer-defocus-single',
    task: 'defocus-deblur',
    title: 'Restormer, defocus deblurring of one image (DPDD)',
    options: {},
    checkpoint: 'single_image_defocus_deblurring.pth',
    reference: { set: 'DPDD', protocol: 'RGB, float', psnr: 25.98 },
  },
  {
    ...restormer,
    id: 'restormer-defocus-dual',
    task: 'defocus-deblur',
    title: 'Restormer, defocus deblurring of a dual-pixel pair (DPDD, 16-bit, left then right)',
    options: { channelsIn: 6, dualPixel: true },
    checkpoint: 'dual_pixel_defocus_deblurring.pth',
    reference: { set: 'DPDD', protocol: 'RGB, float', psnr: 26.66 },
  },
  {
    ...restormer,
    id: 'restormer-denoise-real',
    task: 'denoise',
    title: 'Restormer, real camera noise (SIDD)',
    options: { layerNorm: 'BiasFree' },
    checkpoint: 'real_denoising.pth',
    reference: { set: 'SIDD validation', protocol: 'RGB, float', psnr: 40.02 },
  },
  {
    ...gaussianColor,
    id: 'restormer-denoise-color-blind',
    title: 'Restormer, color Gaussian noise of any strength up to 50',
    checkpoint: 'gaussian_color_denoising_blind.pth',
    reference: { set: 'CBSD68', protocol: 'RGB, 8-bit, sigma 25', psnr: 31.78 },
  },
  {
    ...gaussianColor,
    id: 'restormer-denoise-color-15',
    title: 'Restormer, color Gaussian noise of sigma 15',
    checkpoint: 'gaussian_color_denoising_sigma15.pth',
    reference: { set: 'CBSD68', protocol: 'RGB, 8-bit, sigma 15', psnr: 34.4 },
  },
  {
    ...gaussianColor,
    id: 'restormer-denoise-color-25',
    title: 'Restormer, color Gaussian noise of sigma 25',
    checkpoint: 'gaussian_color_denoising_sigma25.pth',
    reference: { set: 'CBSD68', protocol: 'RGB, 8-bit, sigma 25', psnr: 31.79 },
  },
  {
    ...gaussianColor,
    id: 'restormer-denoise-color-50',
    title: 'Restormer, color Gaussian noise of sigma 50',
    checkpoint: 'gaussian_color_denoising_sigma50.pth',
    reference: { set: 'CBSD68', protocol: 'RGB, 8-bit, sigma 50', psnr: 28.6 },
  },
  {
    ...gaussianGray,
    id: 'restormer-denoise-gray-blind',
    title: 'Restormer, gray Gaussian noise of any strength up to 50',
    checkpoint: 'gaussian_gray_denoising_blind.pth',
    reference: { set: 'BSD68', protocol: 'gray, 8-bit, sigma 25', psnr: 29.51 },
  },
  {
    ...gaussianGray,
    id: 'restormer-denoise-gray-15',
    title: 'Restormer, gray Gaussian noise of sigma 15',
    checkpoint: 'gaussian_gray_denoising_sigma15.pth',
    reference: { set: 'BSD68', protocol: 'gray, 8-bit, sigma 15', psnr: 31.96 },
  },
  {
    ...gaussianGray,
    id: 'restormer-denoise-gray-25',
    title: 'Restormer, gray Gaussian noise of sigma 25',
    checkpoint: 'gaussian_gray_denoising_sigma25.pth',
    reference: { set: 'BSD68', protocol: 'gray, 8-bit, sigma 25', psnr: 29.52 },
  },
  {
    ...gaussianGray,
    id: 'restormer-denoise-gray-50',
    title: 'Restormer, gray Gaussian noise of sigma 50',
    checkpoint: 'gaussian_gray_denoising_sigma50.pth',
    reference: { set: 'BSD68', protocol: 'gray, 8-bit, sigma 50', psnr: 26.62 },
  },
  {
    ...iptOnly(2),
    id: 'ipt-sr-x2',
    task: 'upscale',
    title: 'IPT, ×2 super-resolution',
    checkpoint: 'IPT_sr2.pt',
    reference: { set: 'Urban100', protocol: 'Y channel, 8-bit, bicubic', psnr: 33.76 },
  },
  {
    ...iptOnly(3),
    id: 'ipt-sr-x3',
    task: 'upscale',
    title: 'IPT, ×3 super-resolution',
    checkpoint: 'IPT_sr3.pt',
    reference: { set: 'Urban100', protocol: 'Y channel, 8-bit, bicubic', psnr: 29.49 },
  },
  {
    ...iptOnly(4),
    id: 'ipt-sr-x4',
    task: 'upscale',
    title: 'IPT, ×4 super-resolution',
    checkpoint: 'IPT_sr4.pt',
    reference: { set: 'Urban100', protocol: 'Y channel, 8-bit, bicubic', psnr: 27.26 },
  },
  {
    ...iptOnly(1),
    id: 'ipt-derain',
    task: 'derain',
    title: 'IPT, deraining',
    checkpoint: 'IPT_derain.pt',
    reference: { set: 'Rain100L', protocol: 'Y channel, 8-bit', psnr: 41.62 },
  },
  {
    ...iptOnly(1),
    id: 'ipt-denoise-30',
    task: 'denoise',
    title: 'IPT, color Gaussian noise of sigma 30',
    checkpoint: 'IPT_denoise30.pt',
    reference: { set: 'CBSD68', protocol: 'Y channel, 8-bit, sigma 30', psnr: 32.32 },
  },
  {
    ...iptOnly(1),
    id: 'ipt-denoise-50',
    task: 'denoise',
    title: 'IPT, color Gaussian noise of sigma 50',
    checkpoint: 'IPT_denoise50.pt',
    reference: { set: 'CBSD68', protocol: 'Y channel, 8-bit, sigma 50', psnr: 29.88 },
  },
  {
    ...dasr,
    id: 'dasr-x2-iso',
    title: 'DASR, ×2 super-resolution of pictures with isotropic blur and no noise',
    scale: 2,
    options: { scale: 2 },
    checkpoint: 'blindsr_x2_bicubic_iso/model/model_600.pt',
    reference: { set: 'Set14', protocol: 'Y channel, 8-bit, kernel width 1.2', psnr: 32.78 },
  },
  {
    ...dasr,
    id: 'dasr-x3-iso',
    title: 'DASR, ×3 super-resolution of pictures with isotropic blur and no noise',
    scale: 3,
    options: { scale: 3 },
    checkpoint: 'blindsr_x3_bicubic_iso/model/model_600.pt',
    reference: { set: 'Set14', protocol: 'Y channel, 8-bit, kernel width 0.8', psnr: 29.99 },
  },
  {
    ...dasr,
    id: 'dasr-x4-iso',
    title: 'DASR, ×4 super-resolution of pictures with isotropic blur and no noise',
    scale: 4,
    options: { scale: 4 },
    checkpoint: 'blindsr_x4_bicubic_iso/model/model_600.pt',
    reference: { set: 'Set14', protocol: 'Y channel, 8-bit, kernel width 2.4', psnr: 28.28 },
  },
  {
    ...dasr,
    id: 'dasr-x4-aniso',
    title: 'DASR, ×4 super-resolution of pictures with blur of any shape and noise up to 25',
    scale: 4,
    options: { scale: 4 },
    checkpoint: 'blindsr_x4_bicubic_aniso/model/model_600.pt',
    reference: { set: 'Set14', protocol: 'Y channel, 8-bit, first kernel of table 3, no noise', psnr: 27.99 },
  },
  {
    ...irsde,
    id: 'irsde-derain-heavy',
    task: 'derain',
    title: 'IR-SDE, heavy rain (Rain100H)',
    checkpoint: 'ir-sde-derainH100.pth',
    reference: { set: 'Rain100H', protocol: 'RGB, 8-bit, 4 pixels cropped', psnr: 31.65 },
  },
  {
    ...irsde,
    id: 'irsde-derain-light',
    task: 'derain',
    title: 'IR-SDE, light rain (Rain100L)',
    checkpoint: 'ir-sde-derainL100.pth',
    reference: { set: 'Rain100L', protocol: 'RGB, 8-bit, 4 pixels cropped', psnr: 38.3 },
  },
  {
    ...irsde,
    id: 'daclip-universal',
    task: 'universal',
    title: 'DA-CLIP, ten degradations with one network',
    options: { multipliers: [1, 1, 2, 4, 8], contextWidth: 512, usesContent: true, usesDegradation: true },
    checkpoint: 'universal-ir.pth',
    paper: 'arXiv:2310.01018',
    reference: { set: 'ten degradations', protocol: 'RGB, 8-bit, mean of ten tasks', psnr: 27.01 },
    sampling: { sde: restoringSde, sampler: 'posterior' },
    guide: 'daclip_ViT-B-32.pt',
  },
] as const satisfies readonly ModelCard[]
