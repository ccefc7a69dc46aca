// What `limpid fetch` knows by name: files of models and of metrics, where they are, and which tasks gain by them. Pure data,
// safe in a browser.

import { unknownName } from '../core/unknownName.ts'
import { type LicenseId, licenses } from '../models/modelCard.ts'
import type { TaskId } from '../models/tasks.ts'
import { cards, isOwn, type ModelCard } from './cards.ts'
import { communityModels, fileNameOf } from './communityModels.ts'
import type { ModelId } from './networks.ts'

/** A file of weights that is published elsewhere. */
export interface RemoteFile {
  /** Its name among fetched files. */
  readonly name: string
  /** Undefined where its authors link to shared drives only. */
  readonly address?: string | undefined
  readonly sizeBytes?: number | undefined
  /** SHA-256 in hexadecimal: all 64 digits, or the first that its authors state. */
  readonly sha256?: string | undefined
}

/** Files that are fetched together, by a name. */
export interface Download {
  readonly id: string
  readonly title: string
  readonly author: string
  readonly license: LicenseId
  readonly files: readonly RemoteFile[]
  /** Card of the model; undefined for weights of metrics. */
  readonly card?: ModelCard | undefined
}

const restormer = 'https://github.com/swz30/Restormer/releases/download/v1.0'
const daClip = 'https://huggingface.co/weblzw/daclip-uir-ViT-B-32-irsde/resolve/main'

const daClipFile = remote(`${daClip}/daclip_ViT-B-32.pt`)

/** Authors of a network's official weights, and their page where that only links to shared drives. */
const authors: Readonly<Partial<Record<ModelId, { readonly name: string; readonly page?: string }>>> = {
  restormer: { name: 'Syed Waqas Zamir et al.' },
  daclip: { name: 'Ziwei Luo et al.' },
  'conditional-unet': { name: 'Ziwei Luo et al.', page: 'https://github.com/Algolzw/image-restoration-sde' },
  ipt: { name: 'Hanting Chen et al.', page: 'https://github.com/huawei-noah/Pretrained-IPT' },
  dasr: { name: 'Longguang Wang et al.', page: 'https://github.com/SYSU-SAIL/DASR' },
}

function remote(address: string, facts: Omit<RemoteFile, 'name' | 'address'> = {}): RemoteFile {
  return { name: fileNameOf(address), address, ...facts }
}

const communityFiles = new Map(
  communityModels.map(({ id, address, sizeBytes, sha256 }) => [id, remote(address, { sizeBytes, sha256 })]),
)

/** Files of a card's weights. */
function filesOf({ id, model, checkpoint, guide }: ModelCard): readonly RemoteFile[] {
  const community = communityFiles.get(id)
  if (community) return [community]
  if (model === 'restormer') return [remote(`${restormer}/${checkpoint}`)]
  if (id === 'daclip') return [daClipFile]
  if (guide === daClipFile.name) return [remote(`${daClip}/${checkpoint}`), daClipFile]
  const extension = checkpoint.slice(checkpoint.lastIndexOf('.'))
  return [{ name: `${id}${extension}` }]
}

/** The last file is the largest; those before it are needed to check it. */
const metricDownloads: readonly Download[] = [
  {
    id: 'lpips',
    title: 'LPIPS on AlexNet, for limpid eval and compare; its heads are BSD 2-Clause',
    author: 'Richard Zhang et al.; torchvision',
    license: 'bsd',
    files: [
      {
        name: 'lpips-alex.pth',
        address:
          'https://github.com/richzhang/PerceptualSimilarity/raw/082bb24f84c091ea94de2867d34c4544f68e0963/lpips/weights/v0.1/alex.pth',
        sizeBytes: 6009,
        sha256: 'df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0',
      },
      remote('https://download.pytorch.org/models/alexnet-owt-7be5be79.pth', { sha256: '7be5be79' }),
    ],
  },
  {
    id: 'fid',
    title: 'Inception for FID, for limpid eval',
    author: 'Maximilian Seitzer',
    license: 'apache',
    files: [
      remote(
        'https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth',
        { sha256: '6726825d' },
      ),
    ],
  },
]

/** Everything that can be fetched by name, or kept under it. */
export const downloads: readonly Download[] = [
  ...cards
    .filter((card) => !isOwn(card))
    .map((card) => {
      const { id, title, license, model, author = authors[model]?.name ?? '' } = card
      return { id, title, license, author, files: filesOf(card), card }
    }),
  ...metricDownloads,
]

/** Finds what a name stands for. @throws RestoreError 'usage' that lists the nearest names */
export function findDownload(id: string): Download {
  const found = downloads.find((one) => one.id === id)
  if (found) return found
  throw unknownName(
    'model to fetch',
    id,
    downloads.map((one) => one.id),
  )
}

/** Page of the authors of files without an address. */
export function pageOf({ card }: Download): string | undefined {
  return card && authors[card.model]?.page
}

/** A model to fetch that is better for a task than those in the package. */
export interface Gain {
  readonly task: TaskId
  readonly model: string
  /** What the package's own model reaches by the protocol of the fetched one; undefined where it has none for the task. */
  readonly packaged?: { readonly model: string; readonly psnr: number }
}

/** Tasks that gain by fetching, the best model first; figures of packaged models are in weights/README.md. */
export const gains: readonly Gain[] = [
  {
    task: 'denoise',
    model: 'restormer-denoise-color-blind',
    packaged: { model: 'light-denoise', psnr: 31.14 },
  },
  { task: 'denoise', model: 'drunet-color', packaged: { model: 'light-denoise', psnr: 27.89 } },
  { task: 'derain', model: 'restormer-derain' },
  { task: 'deblur', model: 'restormer-motion-deblur' },
  { task: 'defocus-deblur', model: 'restormer-defocus-single' },
]

/** Whether a model may be the default of a task: for any use, and true to the photo. */
export function mayBeDefault({ license, mayInvent }: Pick<ModelCard, 'license' | 'mayInvent'>): boolean {
  return licenses[license].isCommercial && mayInvent !== true
}

/** A size as people read it: `6 kB`, `67 MB`. */
export function formatBytes(sizeBytes: number): string {
  return sizeBytes < 1e6
    ? `${Math.ceil(sizeBytes / 1e3)} kB`
    : `${(sizeBytes / 1e6).toFixed(sizeBytes < 1e7 ? 1 : 0)} MB`
}

/** Size of all files of a download; undefined where one is not known. */
export function sizeOf({ files }: Pick<Download, 'files'>): number | undefined {
  const sizes = files.map(({ sizeBytes }) => sizeBytes)
  return sizes.reduce((sum, size) => (sum === undefined || size === undefined ? undefined : sum + size), 0)
}

/** Size, where known, and license of a download. */
export function termsOf(download: Download): string {
  const size = sizeOf(download)
  return [...(size === undefined ? [] : [formatBytes(size)]), licenses[download.license].title].join(', ')
}
