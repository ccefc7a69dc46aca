// Messages to and from a compute process; every request is answered before the next is sent.

import type { ErrorCode } from '../../core/errors.ts'

/** Device and backend of a network. */
export interface Placement {
  readonly backend: 'onnx' | 'torch'
  readonly device: 'cpu' | 'webgpu' | 'cuda'
  readonly deviceIndex: number
}

/** Network for the compute process to open; it reads the weights itself. */
export interface Setup extends Placement {
  readonly weights: string
  /** Network options that replace those the weights imply. */
  readonly options: object
  readonly threads: number
}

/** Facts about the opened weights. */
export interface Opened {
  /** SHA-256 of the weights file. */
  readonly sha256: string
}

export type Request =
  | { readonly type: 'open'; readonly setup: Setup }
  /** Runs the named part of the network, or all of it. */
  | { readonly type: 'run'; readonly part?: string | undefined }

export type Reply =
  | { readonly type: 'opened'; readonly opened: Opened }
  | { readonly type: 'result' }
  | { readonly type: 'error'; readonly code: ErrorCode; readonly message: string }
