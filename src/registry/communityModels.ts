// Models of the community and of official releases that `limpid fetch` knows by name: what each is for, whose it is, and where its file
// is. Pure data, safe in a browser. Sizes, hashes and addresses of OpenModelDB (OpenModelDB/open-model-database@782aac0); the releases of
// KAIR, FBCNN and SwinIR state no hashes.

import type { NetworkCard } from '../models/modelCard.ts'
import type { ModelId } from './networks.ts'

/** Facts about a model whose file is published elsewhere. */
export interface CommunityModel
  extends Pick<
    NetworkCard,
    'id' | 'task' | 'scale' | 'title' | 'license' | 'author' | 'mayInvent' | 'reference'
  > {
  readonly model: ModelId
  readonly author: string
  readonly address: string
  readonly sizeBytes?: number
  readonly sha256?: string
}

const kair = { task: 'denoise', scale: 1, author: 'Kai Zhang et al.', license: 'mit' } as const
const kairRelease = 'https://github.com/cszn/KAIR/releases/download/v1.0'
const fbcnn = {
  model: 'fbcnn',
  task: 'photo',
  scale: 1,
  author: 'Jiaxi Jiang et al.',
  license: 'apache',
} as const
const fbcnnRelease = 'https://github.com/jiaxi-jiang/FBCNN/releases/download/v1.0'
const swinir = { model: 'swinir', author: 'Jingyun Liang et al.', license: 'apache' } as const
const swinirRelease = 'https://github.com/JingyunLiang/SwinIR/releases/download/v0.0'
const realEsrgan = { task: 'upscale', author: 'Xintao Wang et al.', license: 'bsd', mayInvent: true } as const
const realEsrganReleases = 'https://github.com/xinntao/Real-ESRGAN/releases/download'
const bsrgan = {
  model: 'esrgan',
  task: 'upscale',
  author: 'Kai Zhang et al.',
  license: 'apache',
  mayInvent: true,
} as const
const hofmann = {
  task: 'upscale',
  scale: 4,
  author: 'Philip Hofmann',
  license: 'cc-by',
  mayInvent: true,
} as const
const hofmannFile = (name: string, ending: 'pth' | 'safetensors') =>
  `https://github.com/Phhofm/models/releases/download/${name}/${name}.${ending}`
const starinspace = {
  task: 'upscale',
  scale: 4,
  author: 'starinspace',
  license: 'cc-by-sa',
  mayInvent: true,
} as const
const starinspaceRelease = 'https://github.com/starinspace/StarinspaceUpscale/releases/download/Models'
const other = { task: 'upscale', scale: 4, license: 'cc-by-nc-sa', mayInvent: true } as const

/** Name of the file at an address. */
export function fileNameOf(address: string): string {
  const { pathname } = new URL(address)
  return decodeURIComponent(pathname.slice(pathname.lastIndexOf('/') + 1))
}

/** Papers of the networks. */
export const communityPapers: Readonly<Partial<Record<ModelId, string>>> = {
  dncnn: 'arXiv:1608.03981',
  drunet: 'arXiv:2008.13751',
  scunet: 'arXiv:2203.13278',
  fbcnn: 'arXiv:2109.14573',
  swinir: 'arXiv:2108.10257',
  esrgan: 'arXiv:1809.00219',
  compact: 'arXiv:2107.10833',
  dat: 'arXiv:2308.03364',
  'real-plksr': 'arXiv:2404.11848',
  // Of its blocks, MambaOut.
  mosr: 'arXiv:2405.07992',
  span: 'arXiv:2311.12770',
}

/** Official releases first, then the community's. */
export const communityModels: readonly CommunityModel[] = [
  {
    ...kair,
    id: 'dncnn-color-blind',
    model: 'dncnn',
    title: 'DnCNN, even color noise of unknown strength; small and fast',
    address: `${kairRelease}/dncnn_color_blind.pth`,
  },
  {
    ...kair,
    id: 'fdncnn-color',
    model: 'dncnn',
    title: 'FDnCNN, even color noise of estimated or told strength; small and fast',
    address: `${kairRelease}/fdncnn_color.pth`,
  },
  {
    ...kair,
    id: 'drunet-color',
    model: 'drunet',
    title: 'DRUNet, even color noise of estimated or told strength',
    address: `${kairRelease}/drunet_color.pth`,
    reference: { set: 'CBSD68', protocol: 'RGB, 8-bit, sigma 50', psnr: 28.51 },
  },
  {
    ...kair,
    id: 'drunet-gray',
    model: 'drunet',
    title: 'DRUNet, even noise of estimated or told strength in gray pictures',
    address: `${kairRelease}/drunet_gray.pth`,
  },
  {
    ...kair,
    id: 'scunet-real',
    model: 'scunet',
    title: 'SCUNet, noise of real photos, trained for PSNR',
    license: 'apache',
    address: `${kairRelease}/scunet_color_real_psnr.pth`,
  },
  {
    ...kair,
    id: 'scunet-real-gan',
    model: 'scunet',
    title: 'SCUNet, noise of real photos, sharper',
    license: 'apache',
    mayInvent: true,
    address: `${kairRelease}/scunet_color_real_gan.pth`,
  },
  {
    ...fbcnn,
    id: 'fbcnn-color',
    title: 'FBCNN, JPEG artifacts of predicted or told quality',
    address: `${fbcnnRelease}/fbcnn_color.pth`,
  },
  {
    ...fbcnn,
    id: 'fbcnn-gray',
    title: 'FBCNN, JPEG artifacts of gray pictures',
    address: `${fbcnnRelease}/fbcnn_gray.pth`,
  },
  {
    ...swinir,
    id: 'swinir-denoise-color-15',
    task: 'denoise',
    scale: 1,
    title: 'SwinIR, even color noise of sigma 15',
    address: `${swinirRelease}/005_colorDN_DFWB_s128w8_SwinIR-M_noise15.pth`,
  },
  {
    ...swinir,
    id: 'swinir-denoise-color-25',
    task: 'denoise',
    scale: 1,
    title: 'SwinIR, even color noise of sigma 25',
    address: `${swinirRelease}/005_colorDN_DFWB_s128w8_SwinIR-M_noise25.pth`,
  },
  {
    ...swinir,
    id: 'swinir-denoise-color-50',
    task: 'denoise',
    scale: 1,
    title: 'SwinIR, even color noise of sigma 50',
    address: `${swinirRelease}/005_colorDN_DFWB_s128w8_SwinIR-M_noise50.pth`,
  },
  {
    ...swinir,
    id: 'swinir-jpeg-color-10',
    task: 'photo',
    scale: 1,
    title: 'SwinIR, JPEG artifacts of quality 10',
    address: `${swinirRelease}/006_colorCAR_DFWB_s126w7_SwinIR-M_jpeg10.pth`,
  },
  {
    ...swinir,
    id: 'swinir-jpeg-color-20',
    task: 'photo',
    scale: 1,
    title: 'SwinIR, JPEG artifacts of quality 20',
    address: `${swinirRelease}/006_colorCAR_DFWB_s126w7_SwinIR-M_jpeg20.pth`,
  },
  {
    ...swinir,
    id: 'swinir-jpeg-color-30',
    task: 'photo',
    scale: 1,
    title: 'SwinIR, JPEG artifacts of quality 30',
    address: `${swinirRelease}/006_colorCAR_DFWB_s126w7_SwinIR-M_jpeg30.pth`,
  },
  {
    ...swinir,
    id: 'swinir-jpeg-color-40',
    task: 'photo',
    scale: 1,
    title: 'SwinIR, JPEG artifacts of quality 40',
    address: `${swinirRelease}/006_colorCAR_DFWB_s126w7_SwinIR-M_jpeg40.pth`,
  },
  {
    ...realEsrgan,
    id: 'real-esrgan-x4plus',
    model: 'esrgan',
    scale: 4,
    title: 'Real-ESRGAN, ×4, photos with blur, noise and JPEG',
    address: `${realEsrganReleases}/v0.1.0/RealESRGAN_x4plus.pth`,
    sizeBytes: 67_040_989,
    sha256: '4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1',
  },
  {
    ...realEsrgan,
    id: 'real-esrgan-x2plus',
    model: 'esrgan',
    scale: 2,
    title: 'Real-ESRGAN, ×2, photos with blur, noise and JPEG',
    address: `${realEsrganReleases}/v0.2.1/RealESRGAN_x2plus.pth`,
    sizeBytes: 67_061_725,
    sha256: '49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb',
  },
  {
    ...realEsrgan,
    id: 'real-esrgan-anime-x4',
    model: 'esrgan',
    scale: 4,
    title: 'Real-ESRGAN, ×4, drawings; a quarter of the size',
    address: `${realEsrganReleases}/v0.2.2.4/RealESRGAN_x4plus_anime_6B.pth`,
    sizeBytes: 17_938_799,
    sha256: 'f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da',
  },
  {
    ...realEsrgan,
    id: 'real-esrgan-general-x4',
    model: 'compact',
    scale: 4,
    title: 'Real-ESRGAN, ×4, photos and drawings; small and fast, removes noise',
    address: `${realEsrganReleases}/v0.2.5.0/realesr-general-x4v3.pth`,
    sizeBytes: 4_885_111,
    sha256: '8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292',
  },
  {
    ...realEsrgan,
    id: 'real-esrgan-general-wdn-x4',
    model: 'compact',
    scale: 4,
    title: 'Real-ESRGAN, ×4, photos and drawings; small and fast, keeps noise',
    address: `${realEsrganReleases}/v0.2.5.0/realesr-general-wdn-x4v3.pth`,
    sizeBytes: 4_885_111,
    sha256: '1641f8c4464b9f097c9fdda5589273713f67cf59f3d909e0bd688f0cee269dca',
  },
  {
    ...bsrgan,
    id: 'bsrgan-x4',
    scale: 4,
    title: 'BSRGAN, ×4, photos with blur, noise and JPEG',
    address: `${kairRelease}/BSRGAN.pth`,
    sizeBytes: 67_046_751,
    sha256: '5d505a0766160921e0388d76e1ddf08cb114303990f9080432bf2b1c988b1c54',
  },
  {
    ...bsrgan,
    id: 'bsrgan-x2',
    scale: 2,
    title: 'BSRGAN, ×2, photos with blur, noise and JPEG',
    address: `${kairRelease}/BSRGANx2.pth`,
    sizeBytes: 66_894_171,
    sha256: '614f68bcafcf123a1ea51cc75ae5741640a8b1d49dd75757ad3ad531f772c736',
  },
  {
    ...swinir,
    id: 'swinir-real-x4',
    task: 'upscale',
    scale: 4,
    title: 'SwinIR, ×4, photos with blur, noise and JPEG',
    mayInvent: true,
    address: `${swinirRelease}/003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_GAN.pth`,
    sizeBytes: 67_129_861,
    sha256: 'b9afb61e65e04eb7f8aba5095d070bbe9af28df76acd0c9405aeb33b814bcfc6',
  },
  {
    ...swinir,
    id: 'swinir-real-large-x4',
    task: 'upscale',
    scale: 4,
    title: 'SwinIR (large), ×4, photos with blur, noise and JPEG',
    mayInvent: true,
    address: `${swinirRelease}/003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_GAN.pth`,
    sizeBytes: 142_473_939,
    sha256: '99adfa91350a84c99e946c1eb3d8fce34bc28f57d807b09dc8fe40a316328c0a',
  },
  {
    ...swinir,
    id: 'swinir-classical-x2',
    task: 'upscale',
    scale: 2,
    title: 'SwinIR, ×2, pictures shrunk bicubically, without other damage',
    address: `${swinirRelease}/001_classicalSR_DF2K_s64w8_SwinIR-M_x2.pth`,
    sizeBytes: 67_277_475,
    sha256: '2032ebf8f401dd3ce2fae5f3852117cb72101ec6ed8358faa64c2a3fa09ed4ac',
  },
  {
    ...swinir,
    id: 'swinir-classical-x4',
    task: 'upscale',
    scale: 4,
    title: 'SwinIR, ×4, pictures shrunk bicubically, without other damage',
    address: `${swinirRelease}/001_classicalSR_DF2K_s64w8_SwinIR-M_x4.pth`,
    sizeBytes: 67_869_037,
    sha256: '4e78e33f22c1aa8a773db0cf4a7381bae97c2362c717f155439ebc690cbd9215',
  },
  {
    ...hofmann,
    id: '4x-nomos2-hq-dat2',
    model: 'dat',
    title: '4xNomos2, ×4, good photos without compression',
    address: hofmannFile('4xNomos2_hq_dat2', 'pth'),
    sizeBytes: 140_196_334,
    sha256: '1f2be2b4786b5031776aed90e1818564f5576ab1e44da9355c7f3788ea25bdea',
  },
  {
    ...hofmann,
    id: '4x-nomos2-otf-esrgan',
    model: 'esrgan',
    title: '4xNomos2, ×4, damaged photos, JPEG',
    address: hofmannFile('4xNomos2_otf_esrgan', 'safetensors'),
    sizeBytes: 33_467_822,
    sha256: '12db878907ed3a52ee97de552dfc0ce7ffd38559ca9760a7803cb2d06a737055',
  },
  {
    ...hofmann,
    id: '4x-nomos2-realplksr-dysample',
    model: 'real-plksr',
    title: '4xNomos2, ×4, damaged photos, JPEG; fast',
    address: hofmannFile('4xNomos2_realplksr_dysample', 'pth'),
    sizeBytes: 29_715_988,
    sha256: '96c8476ed2c42107628d10562b32ae89e7be3c2f7a53d29504823e9bafe8121d',
  },
  {
    ...hofmann,
    id: '4x-nomos2-hq-mosr',
    model: 'mosr',
    title: '4xNomos2, ×4, good photos; fast',
    address: hofmannFile('4xNomos2_hq_mosr', 'pth'),
    sizeBytes: 17_213_494,
    sha256: 'c60dbfc7e6f7d27e03517d1bec3f3cbd16e8cd4288eefd1358952f73f8497ddc',
  },
  {
    ...hofmann,
    id: '4x-nomos-web-photo-realplksr',
    model: 'real-plksr',
    title: '4xNomosWebPhoto, ×4, photos from the web; fast',
    address: hofmannFile('4xNomosWebPhoto_RealPLKSR', 'pth'),
    sizeBytes: 29_683_482,
    sha256: 'a9db66c9b674c6a5025b6ef3bee71a57c33b8605d8a2de0980470f89002efbbe',
  },
  {
    ...hofmann,
    id: '4x-nomos-web-photo-esrgan',
    model: 'esrgan',
    title: '4xNomosWebPhoto, ×4, photos from the web',
    address: hofmannFile('4xNomosWebPhoto_esrgan', 'safetensors'),
    sizeBytes: 33_467_822,
    sha256: '2f49c3065db8aaeb64adb08e8879001fe2f1460df5655499707efedad8a3d556',
  },
  {
    ...hofmann,
    id: '4x-real-web-photo-v4-dat2',
    model: 'dat',
    title: '4xRealWebPhoto, ×4, photos from the web',
    address: hofmannFile('4xRealWebPhoto_v4_dat2', 'safetensors'),
    sizeBytes: 139_792_588,
    sha256: '819047acf43073f63ea7289ed94d6991ba8446a3bdf38e274fadfcbaa2b7381d',
  },
  {
    ...hofmann,
    id: '4x-nomos8k-sc',
    model: 'esrgan',
    title: '4xNomos8kSC, ×4, photos, removes JPEG',
    address: 'https://github.com/Phhofm/models/raw/main/4xNomos8kSC/4xNomos8kSC.pth',
    sizeBytes: 67_010_245,
    sha256: '07a7ccd6443d012d528999cd77e40c7d265aaf1f656c499b37936e49603a0b1d',
  },
  {
    ...hofmann,
    id: '4x-lsdirplus',
    model: 'esrgan',
    title: '4xLSDIRplus, ×4, photos, removes JPEG',
    address: 'https://github.com/Phhofm/models/raw/main/4xLSDIRplus/4xLSDIRplus.pth',
    sizeBytes: 67_010_245,
    sha256: 'b549ddb71199fb8c54a0d33084bfe8ffd74882b383d85668066ca2ba57d49427',
  },
  {
    ...hofmann,
    id: '4x-lsdir',
    model: 'esrgan',
    title: '4xLSDIR, ×4, photos',
    address: 'https://github.com/Phhofm/models/raw/main/4xLSDIR/4xLSDIR.pth',
    sizeBytes: 67_020_037,
    sha256: '2a743089e6395091b0073c15b4392c3c658ee32841ba770c15c27d92426e5901',
  },
  {
    ...starinspace,
    id: '4x-pure-photo-realplksr',
    model: 'real-plksr',
    title: '4xPurePhoto, ×4, photos, removes JPEG; fast',
    address: `${starinspaceRelease}/4xPurePhoto-RealPLSKR.pth`,
    sizeBytes: 29_663_426,
    sha256: '5913af168a6a1d38d216c91eb60f475d27eeebbd57ff8ed8943fdc7a84d1b250',
  },
  {
    ...starinspace,
    id: '4x-pure-photo-span',
    model: 'span',
    title: '4xPurePhoto, ×4, photos; small and fast',
    address: `${starinspaceRelease}/4xPurePhoto-span.pth`,
    sizeBytes: 9_016_490,
    sha256: 'c689eec59771ed3eaffc10eea933c44fdb9131f83251c51c5bab4cae7c4d3bf2',
  },
  {
    ...hofmann,
    id: '1x-dejpg-realplksr',
    model: 'real-plksr',
    task: 'photo',
    scale: 1,
    title: '1xDeJPG, removes JPEG artifacts, keeps the size',
    address: hofmannFile('1xDeJPG_realplksr_otf', 'safetensors'),
    sizeBytes: 29_486_580,
    sha256: 'bfc0b9a1163bf20eb18479e1f4faa0ece1b4d5ce59759be8b843d6ef32d1890f',
  },
  {
    ...hofmann,
    id: '1x-denoise-realplksr',
    model: 'real-plksr',
    task: 'denoise',
    scale: 1,
    title: '1xDeNoise, removes noise, keeps the size',
    address: hofmannFile('1xDeNoise_realplksr_otf', 'safetensors'),
    sizeBytes: 29_486_580,
    sha256: '0a3e22bdcb70dd790fce66f45df8d07e774e269b17c92a2835162b150d4a365c',
  },
  {
    ...hofmann,
    id: '1x-deh264-realplksr',
    model: 'real-plksr',
    task: 'photo',
    scale: 1,
    title: '1xDeH264, removes artifacts of H.264 from frames, keeps the size',
    address: hofmannFile('1xDeH264_realplksr', 'safetensors'),
    sizeBytes: 29_486_580,
    sha256: '91f054af6308e37b81c261ecf775a58be5fa1d37a816709db5d0fea6fceb24b8',
  },
  {
    ...other,
    id: '4x-ultra-sharp-v2',
    model: 'dat',
    title: '4x-UltraSharpV2, ×4, pictures of all kinds, sharp',
    author: 'Kim2091',
    address:
      'https://huggingface.co/Kim2091/UltraSharpV2/resolve/main/4x-UltraSharpV2.safetensors?download=true',
    sizeBytes: 139_792_588,
    sha256: '2b5db674aa8f3864a696dccd1d07d7cc0500fbf220f35044cd30eee9a7f971a7',
  },
  {
    ...other,
    id: '4x-remacri',
    model: 'esrgan',
    title: '4x-Remacri, ×4, pictures of all kinds',
    author: 'Foolhardy',
    address:
      'https://huggingface.co/FacehugmanIII/4x_foolhardy_Remacri/resolve/main/4x_foolhardy_Remacri.pth?download=true',
    sizeBytes: 67_025_055,
    sha256: 'e1a73bd89c2da1ae494774746398689048b5a892bd9653e146713f9df8bca86a',
  },
]
