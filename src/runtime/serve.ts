// The side that computes: answers the requests of the process that started it.

import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { fileSource, readCheckpoint } from '../checkpoints/files.ts'
import { RestoreError } from '../core/errors.ts'
import type { NamedData, Session } from '../core/session.ts'
import { type LoadedModel, loadModel } from '../registry/builders.ts'
import { type Frame, receiveFrames, sendFrame } from './channel.ts'
import type { Opened, Reply, Request, Setup } from './protocol.ts'

export type OpenSession = (model: LoadedModel, setup: Setup) => Promise<Session>

/** Answers requests on a socket, in their order. */
export function serve(socket: Socket, openSession: OpenSession): void {
  let session: Session | undefined
  let turn: Promise<void> = Promise.resolve()

  const answer = async ({ message, tensors }: Frame<Request>): Promise<[Reply, NamedData]> => {
    if (message.type === 'open') {
      const opened = await open(message.setup, openSession)
      session = opened.session
      return [{ type: 'opened', opened: opened.description }, {}]
    }
    if (!session) throw new RestoreError('crash', 'compute: expected to be opened before it is run')
    return [{ type: 'result' }, await session.run(tensors)]
  }
  receiveFrames<Request>(socket, (frame) => {
    turn = turn.then(async () => {
      const [reply, tensors] = await answer(frame).catch((error): [Reply, NamedData] => [describe(error), {}])
      sendFrame(socket, reply, tensors)
    })
  })
}

async function open(
  setup: Setup,
  openSession: OpenSession,
): Promise<{ readonly session: Session; readonly description: Opened }> {
  const model = loadModel(readCheckpoint(setup.weights), setup.options)
  const session = await openSession(model, setup)
  return { session, description: { model: model.id, options: model.options, sha256: hashOf(setup.weights) } }
}

function hashOf(path: string): string {
  const file = fileSource(path)
  const hash = createHash('sha256')
  const step = 2 ** 24
  for (let at = 0; at < file.size; at += step) hash.update(file.read(at, Math.min(step, file.size - at)))
  return hash.digest('hex')
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
