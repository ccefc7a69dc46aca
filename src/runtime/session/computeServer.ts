// The compute process's side: answers requests of the parent process.

import type { Socket } from 'node:net'
import { hashFile, readCheckpoint } from '../../checkpoints/files.ts'
import { RestoreError } from '../../core/errors.ts'
import type { NamedData, Session } from '../../core/session.ts'
import { type LoadedModel, loadModel } from '../../registry/loadModel.ts'
import { type Frame, receiveFrames, sendFrame } from './frames.ts'
import { NetworkSessions } from './networkSessions.ts'
import type { Reply, Request, Setup } from './protocol.ts'
import { failureOf } from './runtimeErrors.ts'

/** Opens a session on the device of a setup. */
export type OpenSession = (model: LoadedModel, setup: Setup) => Promise<Session>

/** Answers requests on a socket, in order. */
export function serve(socket: Socket, openSession: OpenSession): void {
  let sessions: NetworkSessions | undefined
  let last: Promise<void> = Promise.resolve()

  const answer = async ({ message, tensors }: Frame<Request>): Promise<[Reply, NamedData]> => {
    if (message.type === 'open') {
      const { setup } = message
      const model = loadModel(readCheckpoint(setup.weights), setup.options)
      sessions = new NetworkSessions(model, (part) => openSession(part, setup))
      // Fails here, before any picture, if the device does not work.
      await sessions.session()
      return [{ type: 'opened', opened: { sha256: hashFile(setup.weights) } }, {}]
    }
    if (!sessions) throw new RestoreError('crash', 'compute: expected a request to open before one to run')
    const session = await sessions.session(message.part)
    return [{ type: 'result' }, await session.run(tensors)]
  }
  receiveFrames<Request>(socket, (frame) => {
    last = last.then(async () => {
      const [reply, tensors] = await answer(frame).catch((error): [Reply, NamedData] => [describe(error), {}])
      sendFrame(socket, reply, tensors)
    })
  })
}

function describe(error: unknown): Reply {
  const { code, message } = failureOf(error)
  return { type: 'error', code, message }
}
