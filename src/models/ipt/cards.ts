// Published weights of IPT: one file per task.

import type { NetworkFacts } from '../networkDescriptor.ts'

const ipt = { license: 'apache', paper: 'arXiv:2012.00364' } as const
const iptOnly = (scale: number) => ({ ...ipt, scale, options: { scales: [scale], queries: 1 } })

export const iptFacts = {
  id: 'ipt',
  signature: {
    keys: [
      'head.0.0.weight',
      'tail.0.1.weight',
      'body.encoder.layers.0.self_attn.in_proj_weight',
      'sub_mean.weight',
    ],
  },
  license: 'apache',
  cards: [
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
  ],
} as const satisfies NetworkFacts
