// Published weights of Restormer.

import type { NetworkFacts } from '../networkDescriptor.ts'

const restormer = { scale: 1, license: 'academic', paper: 'arXiv:2111.09881' } as const
const gaussianColor = { ...restormer, task: 'denoise', options: { layerNorm: 'BiasFree' } } as const
const gaussianGray = {
  ...restormer,
  task: 'denoise',
  options: { channelsIn: 1, channelsOut: 1, layerNorm: 'BiasFree' },
} as const

export const restormerFacts = {
  id: 'restormer',
  signature: {
    keys: [
      'patch_embed.proj.weight',
      'encoder_level1.0.attn.temperature',
      'latent.0.ffn.project_out.weight',
      'output.weight',
    ],
  },
  license: 'academic',
  cards: [
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
  ],
} as const satisfies NetworkFacts
