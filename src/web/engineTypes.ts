// What the engine is asked for and tells, on the page and in its worker.

import type { OverrideRequest } from '../auto/plan/overrides.ts'
import { anything, decimal, type OptionRules, record, text, texts, whole } from '../core/options.ts'
import type { RawInput } from '../runtime/pictures/pictureTypes.ts'
import { type PictureOptions, pictureRules } from '../runtime/tiledRestoration.ts'
import type { WeightsInput } from './readWeights.ts'
import type { WeightsFolders } from './store/weightsFiles.ts'

/** How the engine finds weights and computes. */
export interface EngineSettings extends WeightsFolders {
  readonly device?: 'auto' | 'webgpu' | 'cpu' | undefined
  readonly memoryBytes?: number | undefined
}

/** What the engine computes with. */
export interface EngineFacts {
  /** Device of the last picture; undefined before the first. */
  readonly device: string | undefined
  /** Threads of WebAssembly; 1 where the page is not isolated. */
  readonly threads: number
  readonly isIsolated: boolean
}

/** A picture, by a number under which the worker knows it for some time. */
export interface SentInput {
  readonly id: number
  readonly input: Blob | RawInput
}

/** A part of a picture, in pixels of the input. */
export interface Region {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** What is done to a picture. */
export interface EngineRequest extends PictureOptions, OverrideRequest {
  /** 'auto' finds out; a task, or several joined by commas. @default 'auto', unless a model or weights are named */
  readonly task?: string | undefined
  /** Id of a model, for one task. */
  readonly model?: string | undefined
  /** The caller's own weights, for one task. */
  readonly weights?: WeightsInput | undefined
  readonly guide?: WeightsInput | undefined
  readonly tensors?: string | undefined
  /** Network options that replace those the weights imply. */
  readonly options?: object | undefined
  /** Output side divided by input side, for tasks that enlarge. */
  readonly scale?: number | undefined
  /**
   * The part to restore, for a preview: 'auto' finds the damage in the whole, and runs each step once and unchecked.
   * @default the whole picture
   */
  readonly region?: Region | undefined
  /** Frame of an animation, from 1. @default a file of several is refused */
  readonly page?: number | undefined
  /** Name of the picture in errors. @default that of the file, else 'image' */
  readonly name?: string | undefined
}

/** Which picture of a file is converted. */
export type ConvertRequest = Pick<EngineRequest, 'name' | 'page'>

/** A file as PNG. */
export interface Converted {
  /** The same samples and depth, upright, with metadata and profile. */
  readonly file: Blob
  /** What reading left out or converted, as sentences. */
  readonly notes: readonly string[]
}

export const engineRules: OptionRules<EngineRequest> = {
  ...pictureRules,
  only: texts,
  never: texts,
  damage: texts,
  task: text,
  model: text,
  weights: anything,
  guide: anything,
  tensors: text,
  options: record,
  scale: decimal(1, 8),
  region: record,
  page: whole(1),
  name: text,
}
