// Networks that are open: what a session runs, and the parts of it that it runs by name.

import { nextTurn } from '../../core/rowBands.ts'
import type { Session } from '../../core/session.ts'
import type { ModelId } from '../../registry/networkSignatures.ts'
import type { LoadedModel } from '../../registry/networks.ts'
import { checkAborted } from '../jobs/serialQueue.ts'
import { failureOf } from './runtimeErrors.ts'

/** A session that also runs parts of its network by name. */
export interface SessionWithParts extends Session {
  part(name: string): Pick<Session, 'run'>
}

/** The second network of those that sample: a DA-CLIP, or the compression to the latents that a network restores. */
export interface Guide {
  readonly kind: 'daclip' | 'latent-unet'
  readonly options: object
  readonly session: SessionWithParts
}

/** A guide that is open, by what it turned out to be. */
export function guideOf(model: ModelId, options: object, session: SessionWithParts): Guide {
  return { kind: model === 'daclip' ? 'daclip' : 'latent-unet', options, session }
}

/** A network that is open, and the one beside it where it needs one. */
export interface LoadedNetwork {
  readonly model: ModelId
  readonly options: object
  readonly session: SessionWithParts
  readonly guide?: Guide | undefined
}

/** A network with a session for each of its parts that is asked for. */
export class NetworkSessions {
  readonly #model: LoadedModel
  readonly #open: (model: LoadedModel) => Promise<Session>
  readonly #sessions = new Map<string | undefined, Promise<Session>>()

  constructor(model: LoadedModel, open: (model: LoadedModel) => Promise<Session>) {
    this.#model = model
    this.#open = open
  }

  /** That of a part, or of the whole network. */
  session(part?: string): Promise<Session> {
    const known = this.#sessions.get(part)
    if (known) return known
    const opened = this.#open(part === undefined ? this.#model : this.#model.part(part))
    this.#sessions.set(part, opened)
    // What failed is tried again.
    opened.catch(() => this.#sessions.delete(part))
    return opened
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.#sessions.values())
    await Promise.all(opened.map((one) => one.status === 'fulfilled' && one.value.close()))
  }
}

/** Those as one, on the thread that calls: a run ends between tiles where it is canceled, errors of the runtime come in our words. */
export function sessionWithParts(sessions: NetworkSessions): SessionWithParts {
  const runner = (part?: string): Pick<Session, 'run'> => ({
    run: async (inputs, { signal } = {}) => {
      // Others have their turn, who may cancel.
      await nextTurn()
      checkAborted(signal)
      try {
        return await (await sessions.session(part)).run(inputs)
      } catch (error) {
        throw failureOf(error)
      }
    },
  })
  return { ...runner(), part: runner, close: () => sessions.close() }
}
