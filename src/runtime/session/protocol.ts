// Messages to and from a compute process; every request is answered before the next is sent.

import type { ErrorCode } from '../../core/errors.ts'
import type { ImageGraph } from '../graphs/imageGraph.ts'

/** Device and backend of a network. */
export interface Placement {
  readonly backend: 'onnx' | 'torch'
  readonly device: 'cpu' | 'webgpu' | 'cuda'
  readonly deviceIndex: number
  /** What products are computed in. */
  readonly dtype: 'float32' | 'bfloat16'
}

/** Network for the compute process to open; it reads the weights itself. */
export interface Setup extends Placement {
  readonly weights: string
  /** Which tensors of the file, where it holds several sets. */
  readonly tensors?: string | undefined
  /** A second file, of which `share` is mixed into the first. */
  readonly mix?: { readonly weights: string; readonly share: number } | undefined
  /** Network options that replace those the weights imply. */
  readonly options: object
  readonly threads: number
}

/** Facts about the opened weights. */
export interface Opened {
  /** SHA-256 of the weights file. */
  readonly sha256: string
  /** SHA-256 of the file mixed into them. */
  readonly mixSha256?: string | undefined
  /** What was found about the graph, if they are an ONNX file. */
  readonly graph?: ImageGraph | undefined
}

export type Request =
  | { readonly type: 'open'; readonly setup: Setup }
  /** Runs the named part of the network, or all of it. */
  | { readonly type: 'run'; readonly part?: string | undefined }

export type Reply =
  | { readonly type: 'opened'; readonly opened: Opened }
  | { readonly type: 'result' }
  | { readonly type: 'error'; readonly code: ErrorCode; readonly message: string }
