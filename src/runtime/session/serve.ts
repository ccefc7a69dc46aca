// The side that computes: answers the requests of the process that started it.

import type { Socket } from 'node:net'
import { hashFile, readCheckpoint } from '../../checkpoints/files.ts'
import { RestoreError } from '../../core/errors.ts'
import type { NamedData, Session } from '../../core/session.ts'
import { type LoadedModel, loadModel } from '../../registry/builders.ts'
import { type Frame, receiveFrames, sendFrame } from './channel.ts'
import type { Opened, Reply, Request, Setup } from './protocol.ts'

export type OpenSession = (model: LoadedModel, setup: Setup) => Promise<Session>

/** Answers requests on a socket, in their order. */
export function serve(socket: Socket, openSession: OpenSession): void {
  let opened: OpenModel | undefined
  let turn: Promise<void> = Promise.resolve()

  const answer = async ({ message, tensors }: Frame<Request>): Promise<[Reply, NamedData]> => {
    if (message.type === 'open') {
      opened = new OpenModel(message.setup, openSession)
      // Devices that do not work fail here, before any picture.
      await opened.session(undefined)
      return [{ type: 'opened', opened: opened.description }, {}]
    }
    if (!opened) throw new RestoreError('crash', 'compute: expected to be opened before it is run')
    const session = await opened.session(message.part)
    return [{ type: 'result' }, await session.run(tensors)]
  }
  receiveFrames<Request>(socket, (frame) => {
    turn = turn.then(async () => {
      const [reply, tensors] = await answer(frame).catch((error): [Reply, NamedData] => [describe(error), {}])
      sendFrame(socket, reply, tensors)
    })
  })
}

/** A network with a session for each of its parts that is asked for. */
class OpenModel {
  readonly #setup: Setup
  readonly #model: LoadedModel
  readonly #openSession: OpenSession
  readonly #sessions = new Map<string | undefined, Session>()
  readonly description: Opened

  constructor(setup: Setup, openSession: OpenSession) {
    this.#setup = setup
    this.#openSession = openSession
    this.#model = loadModel(readCheckpoint(setup.weights), setup.options)
    const { id, options } = this.#model
    this.description = { model: id, options, sha256: hashFile(setup.weights) }
  }

  async session(part: string | undefined): Promise<Session> {
    const model = part === undefined ? this.#model : this.#model.part(part)
    const session = this.#sessions.get(part) ?? (await this.#openSession(model, this.#setup))
    this.#sessions.set(part, session)
    return session
  }
}

function describe(error: unknown): Reply {
  if (error instanceof RestoreError) return { type: 'error', code: error.code, message: error.message }
  const reason = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ')
  return isOutOfMemory(reason)
    ? { type: 'error', code: 'memory', message: `compute: more memory is needed than there is (${reason})` }
    : { type: 'error', code: 'crash', message: `compute: the runtime failed: ${reason}` }
}

/** Whether the words of a runtime tell that memory ran out. */
export function isOutOfMemory(words: string): boolean {
  return /bad_alloc|out of memory|failed to allocate|allocation failed|not enough memory/i.test(words)
}
