// Messages between a process and its compute process. Each request is answered before the next is sent.

import type { ErrorCode } from '../../core/errors.ts'

/** Device and backend of a network. */
export interface Placement {
  readonly backend: 'onnx' | 'torch'
  readonly device: 'cpu' | 'webgpu' | 'cuda'
  readonly deviceIndex: number
}

/** What the compute process opens; it reads the weights itself. */
export interface Setup extends Placement {
  readonly weights: string
  /** Options that override those the weights imply. */
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
  /** Runs a part of the network by its name, or all of it. */
  | { readonly type: 'run'; readonly part?: string | undefined }

export type Reply =
  | { readonly type: 'opened'; readonly opened: Opened }
  | { readonly type: 'result' }
  | { readonly type: 'error'; readonly code: ErrorCode; readonly message: string }
