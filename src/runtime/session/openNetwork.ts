// Networks that are open: what a session runs, and the parts of it that it runs by name.

import type { ModelId } from '../../checkpoints/detect.ts'
import type { Session } from '../../core/session.ts'

/** A session that also runs parts of its network by name. */
export interface PartedSession extends Session {
  part(name: string): Pick<Session, 'run'>
}

/** The second network of those that sample: a DA-CLIP, or the compression to the latents that a network restores. */
export interface Guide {
  readonly kind: 'daclip' | 'latent-unet'
  readonly options: object
  readonly session: PartedSession
}

/** A network that is open, and the one beside it where it needs one. */
export interface OpenNetwork {
  readonly model: ModelId
  readonly options: object
  readonly session: PartedSession
  readonly guide?: Guide | undefined
}
