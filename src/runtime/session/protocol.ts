// The messages between a process and the one that computes for it. One request at a time: each is answered before the next.

import type { ErrorCode } from '../../core/errors.ts'
import type { ModelId } from '../../registry/networkSignatures.ts'

/** Where a network runs, and by what. */
export interface Placement {
  readonly backend: 'onnx' | 'torch'
  readonly device: 'cpu' | 'webgpu' | 'cuda'
  readonly deviceIndex: number
}

/** What the computing process opens; the weights are read there. */
export interface Setup extends Placement {
  readonly weights: string
  /** Options that the weights do not tell. */
  readonly options: object
  readonly threads: number
}

/** What was opened. */
export interface Opened {
  readonly model: ModelId
  readonly options: object
  /** Of the weights file. */
  readonly sha256: string
}

export type Request =
  | { readonly type: 'open'; readonly setup: Setup }
  /** A part of the network by its name, or all of it. */
  | { readonly type: 'run'; readonly part?: string | undefined }

export type Reply =
  | { readonly type: 'opened'; readonly opened: Opened }
  | { readonly type: 'result' }
  | { readonly type: 'error'; readonly code: ErrorCode; readonly message: string }
