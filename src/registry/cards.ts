// The model cards: what each published set of weights is, what it expects and what its paper reports. Pure data, safe in a browser.

import type { ModelId } from '../checkpoints/detect.ts'
import type { TaskId } from './tasks.ts'

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

export interface ModelCard {
  readonly id: string
  readonly model: ModelId
  readonly task: TaskId
  readonly title: string
  /** Size of the output over the size of the input. */
  readonly scale: number
  /** Options that differ from the network's defaults: the number of channels, for instance. */
  readonly options: Readonly<Record<string, unknown>>
  /** Name of the official file. */
  readonly checkpoint: string
  readonly license: LicenseId
  readonly paper: string
  /** PSNR in dB that the paper reports, with the protocol it is measured by. */
  readonly reference: { readonly set: string; readonly protocol: string; readonly psnr: number }
}

const restormer = { model: 'restormer', scale: 1, license: 'academic', paper: 'arXiv:2111.09881' } as const
const gaussianColor = { ...restormer, task: 'denoise', options: { layerNorm: 'BiasFree' } } as const
const gaussianGray = {
  ...restormer,
  task: 'denoise',
  options: { channelsIn: 1, channelsOut: 1, layerNorm: 'BiasFree' },
} as const

export const cards = [
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
    title: 'Restormer, colour Gaussian noise of any strength up to 50',
    checkpoint: 'gaussian_color_denoising_blind.pth',
    reference: { set: 'CBSD68', protocol: 'RGB, 8-bit, sigma 25', psnr: 31.78 },
  },
  {
    ...gaussianColor,
    id: 'restormer-denoise-color-15',
    title: 'Restormer, colour Gaussian noise of sigma 15',
    checkpoint: 'gaussian_color_denoising_sigma15.pth',
    reference: { set: 'CBSD68', protocol: 'RGB, 8-bit, sigma 15', psnr: 34.4 },
  },
  {
    ...gaussianColor,
    id: 'restormer-denoise-color-25',
    title: 'Restormer, colour Gaussian noise of sigma 25',
    checkpoint: 'gaussian_color_denoising_sigma25.pth',
    reference: { set: 'CBSD68', protocol: 'RGB, 8-bit, sigma 25', psnr: 31.79 },
  },
  {
    ...gaussianColor,
    id: 'restormer-denoise-color-50',
    title: 'Restormer, colour Gaussian noise of sigma 50',
    checkpoint: 'gaussian_color_denoising_sigma50.pth',
    reference: { set: 'CBSD68', protocol: 'RGB, 8-bit, sigma 50', psnr: 28.6 },
  },
  {
    ...gaussianGray,
    id: 'restormer-denoise-gray-blind',
    title: 'Restormer, grey Gaussian noise of any strength up to 50',
    checkpoint: 'gaussian_gray_denoising_blind.pth',
    reference: { set: 'BSD68', protocol: 'grey, 8-bit, sigma 25', psnr: 29.51 },
  },
  {
    ...gaussianGray,
    id: 'restormer-denoise-gray-15',
    title: 'Restormer, grey Gaussian noise of sigma 15',
    checkpoint: 'gaussian_gray_denoising_sigma15.pth',
    reference: { set: 'BSD68', protocol: 'grey, 8-bit, sigma 15', psnr: 31.96 },
  },
  {
    ...gaussianGray,
    id: 'restormer-denoise-gray-25',
    title: 'Restormer, grey Gaussian noise of sigma 25',
    checkpoint: 'gaussian_gray_denoising_sigma25.pth',
    reference: { set: 'BSD68', protocol: 'grey, 8-bit, sigma 25', psnr: 29.52 },
  },
  {
    ...gaussianGray,
    id: 'restormer-denoise-gray-50',
    title: 'Restormer, grey Gaussian noise of sigma 50',
    checkpoint: 'gaussian_gray_denoising_sigma50.pth',
    reference: { set: 'BSD68', protocol: 'grey, 8-bit, sigma 50', psnr: 26.62 },
  },
] as const satisfies readonly ModelCard[]
