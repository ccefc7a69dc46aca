// Sessions of an open network: one for the whole network, and one for each part that runs on its own.

import { nextTurn } from '../../core/rowBands.ts'
import type { Session } from '../../core/session.ts'
import type { EmbeddedPrompts } from '../../models/daclip/wordRanking.ts'
import type { Guidance, NetworkDescription } from '../../models/networkDescriptor.ts'
import type { LoadedModel } from '../../registry/loadModel.ts'
import type { ModelId } from '../../registry/networks.ts'
import type { RestoringNetwork } from '../graphs/imageGraph.ts'
import { aborted, checkAborted } from '../jobs/serialQueue.ts'
import { failureOf } from './runtimeErrors.ts'

/** A session that also runs parts of its network by name. */
export interface SessionWithParts extends Session {
  part(name: string): Pick<Session, 'run'>
}

/** Words that a DA-CLIP compares photos with. */
export interface GuideWords extends EmbeddedPrompts {
  /** Indices of those that the caller names, instead of what it sees. */
  readonly told: readonly number[]
}

/** An open guide, and what it supplies. */
export interface LoadedGuide {
  readonly network: NetworkDescription<ModelId>
  readonly guidance: Guidance
  readonly session: SessionWithParts
  readonly words?: GuideWords | undefined
}

/** An open network, with its guide if it needs one. */
export interface LoadedNetwork {
  readonly network: RestoringNetwork
  readonly session: SessionWithParts
  readonly guide?: LoadedGuide | undefined
}

/** Sessions of a network by the part they run; undefined is the whole. */
export interface OpenSessions {
  session(part?: string): Promise<Session>
  close(): Promise<void>
}

/** Opens a session for each part of a network on first use. */
export class NetworkSessions implements OpenSessions {
  readonly #model: LoadedModel
  readonly #open: (model: LoadedModel) => Promise<Session>
  readonly #sessions = new Map<string | undefined, Promise<Session>>()
  #isClosed = false

  constructor(model: LoadedModel, open: (model: LoadedModel) => Promise<Session>) {
    this.#model = model
    this.#open = open
  }

  /** Returns the session of a part, or of the whole network. @throws RestoreError 'aborted' once closed */
  async session(part?: string): Promise<Session> {
    if (this.#isClosed) throw aborted()
    const known = this.#sessions.get(part)
    if (known) return known
    const opened = this.#open(part === undefined ? this.#model : this.#model.part(part))
    this.#sessions.set(part, opened)
    // A session that failed to open may be requested again.
    opened.catch(() => this.#sessions.delete(part))
    return opened
  }

  /** Closes all sessions; runs that follow are refused. */
  async close(): Promise<void> {
    this.#isClosed = true
    const opened = await Promise.allSettled(this.#sessions.values())
    await Promise.all(opened.map((one) => one.status === 'fulfilled' && one.value.close()))
  }
}

/**
 * Combines sessions into one on the calling thread, where cancellation takes effect between runs; converts
 * errors of the runtime.
 */
export function sessionWithParts(sessions: OpenSessions): SessionWithParts {
  const runner = (part?: string): Pick<Session, 'run'> => ({
    run: async (inputs, options = {}) => {
      // Lets other tasks run, so that they can cancel.
      await nextTurn()
      checkAborted(options.signal)
      try {
        return await (await sessions.session(part)).run(inputs, options)
      } catch (error) {
        throw failureOf(error)
      }
    },
  })
  return { ...runner(), part: runner, close: () => sessions.close() }
}
