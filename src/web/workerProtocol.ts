// Calls between a page and the worker that restores its pictures.

import type { OverrideRequest } from '../auto/plan/overrides.ts'
import type { Plan } from '../auto/plan/plan.ts'
import type { Image } from '../data/image.ts'
import type { ImageMetadata } from '../data/metadata/imageMetadata.ts'
import type { License } from '../models/modelCard.ts'
import type { ProgressEvent } from '../runtime/jobs/progress.ts'
import type { RawInput, RawPicture, RestoreInfo } from '../runtime/pictures/pictureTypes.ts'
import type { RestoredTile } from '../runtime/pictures/restoredTile.ts'
import type {
  Converted,
  ConvertRequest,
  EngineFacts,
  EngineRequest,
  EngineSettings,
  SentInput,
} from './engineTypes.ts'
import type { RunOptions, WebRestorerOptions } from './webRestorer.ts'
import { type WebResult, wrapResult } from './webResult.ts'

/** What stays on the page, because it cannot be sent. */
export type PageOnly = 'signal' | 'onProgress' | 'onTile'

/** Facts about an open restorer. */
export interface RestorerFacts {
  readonly device: string
  readonly license: License
  readonly scale: number
}

/** A result as it is sent, with its samples in place of pixels. */
export interface SentResult {
  readonly picture: RawPicture
  readonly metadata: ImageMetadata | undefined
  readonly info: RestoreInfo
  readonly original: Blob | undefined
  readonly samples: readonly SentResult[]
  readonly spread: SentResult | undefined
}

/** How the worker computes. */
export interface WorkerSetup {
  readonly wasmPaths: string | undefined
  readonly threads: number | undefined
}

/** Progress of a call, or a part of its result. */
export type WorkerEvent =
  | { readonly kind: 'progress'; readonly event: ProgressEvent }
  | { readonly kind: 'tile'; readonly tile: RestoredTile }

/** Calls with what they send and receive. */
export interface WorkerCalls {
  readonly open: {
    readonly sent: {
      readonly options: Omit<WebRestorerOptions, 'runtime' | PageOnly>
      readonly setup: WorkerSetup
    }
    readonly received: RestorerFacts
    readonly event: WorkerEvent
  }
  readonly run: {
    readonly sent: {
      readonly input: Blob | RawInput
      readonly options: Omit<RunOptions, PageOnly>
      readonly sendsTiles: boolean
    }
    readonly received: SentResult
    readonly event: WorkerEvent
  }
  readonly runPlanes: {
    readonly sent: { readonly image: Image; readonly options: Omit<RunOptions, PageOnly> }
    readonly received: Image
    readonly event: WorkerEvent
  }
  readonly startEngine: {
    readonly sent: { readonly settings: EngineSettings; readonly setup: WorkerSetup }
    readonly received: undefined
    readonly event: WorkerEvent
  }
  readonly plan: {
    readonly sent: {
      readonly picture: SentInput
      readonly request: OverrideRequest & { readonly strength?: number | undefined }
    }
    readonly received: Plan
    readonly event: WorkerEvent
  }
  readonly repair: {
    readonly sent: {
      readonly picture: SentInput
      readonly request: Omit<EngineRequest, PageOnly>
      readonly sendsTiles: boolean
    }
    readonly received: SentResult
    readonly event: WorkerEvent
  }
  readonly convert: {
    readonly sent: { readonly input: Blob; readonly request: ConvertRequest }
    readonly received: Converted
    readonly event: WorkerEvent
  }
  readonly facts: { readonly sent: undefined; readonly received: EngineFacts; readonly event: WorkerEvent }
}

/** Prepares a result for sending. */
export function sentResult(result: WebResult): SentResult {
  const { info, samples, spread, metadata, original } = result
  return {
    picture: result.raw(),
    metadata,
    info,
    original,
    samples: samples.map(sentResult),
    spread: spread && sentResult(spread),
  }
}

/** Restores a result that was sent. */
export function receivedResult({
  metadata,
  info,
  original,
  samples,
  spread,
  ...sent
}: SentResult): Promise<WebResult> {
  const pixelsOf = ({ data, width, height, channels }: RawPicture) => {
    const hasAlpha = channels % 2 === 0
    return { data, width, height, channels: hasAlpha ? channels - 1 : channels, hasAlpha }
  }
  const restored = {
    pixels: pixelsOf(sent.picture),
    samples: samples.map(({ picture }) => pixelsOf(picture)),
    spread: spread && pixelsOf(spread.picture),
    notes: [],
    info,
  }
  return wrapResult(restored, { metadata }, original)
}
