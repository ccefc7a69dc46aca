// The compute process's side: answers requests of the parent process.

import type { Socket } from 'node:net'
import { hashBytes, hashFile } from '../../checkpoints/files.ts'
import { isOnnxFile, type OpenedOnnx, openOnnxFile } from '../../checkpoints/onnxFiles.ts'
import { RestoreError } from '../../core/errors.ts'
import type { NamedData, Session } from '../../core/session.ts'
import { type LoadedModel, loadModel } from '../../registry/loadModel.ts'
import { checkPorts, findImageGraph } from '../graphs/findImageGraph.ts'
import { graphSession } from '../graphs/graphSession.ts'
import { type Frame, receiveFrames, sendFrame } from './frames.ts'
import { NetworkSessions } from './networkSessions.ts'
import { openWeights } from './openWeights.ts'
import type { Opened, Reply, Request, Setup } from './protocol.ts'
import { failureOf } from './runtimeErrors.ts'

/** Opens sessions on the device of a setup. */
export interface Opener {
  openModel(model: LoadedModel, setup: Setup): Promise<Session>
  openGraph(onnx: OpenedOnnx, setup: Setup): Promise<Session>
}

/** Open weights: the session of a part of the network, or of the whole. */
interface OpenWeights {
  session(part?: string): Promise<Session>
  readonly opened: Opened
}

/** Answers requests on a socket, in order. */
export function serve(socket: Socket, opener: Opener): void {
  let weights: OpenWeights | undefined
  let last: Promise<void> = Promise.resolve()

  const answer = async ({ message, tensors }: Frame<Request>): Promise<[Reply, NamedData]> => {
    if (message.type === 'open') {
      const { setup } = message
      weights = isOnnxFile(setup.weights) ? await openGraph(opener, setup) : await openModel(opener, setup)
      return [{ type: 'opened', opened: weights.opened }, {}]
    }
    if (!weights) throw new RestoreError('crash', 'compute: expected a request to open before one to run')
    const session = await weights.session(message.part)
    return [{ type: 'result' }, await session.run(tensors)]
  }
  receiveFrames<Request>(socket, (frame) => {
    last = last.then(async () => {
      const [reply, tensors] = await answer(frame).catch((error): [Reply, NamedData] => [describe(error), {}])
      sendFrame(socket, reply, tensors)
    })
  })
}

async function openModel(opener: Opener, setup: Setup): Promise<OpenWeights> {
  const model = loadModel(openWeights(setup), setup.options)
  const sessions = new NetworkSessions(model, (part) => opener.openModel(part, setup))
  // Fails here, before any picture, if the device does not work.
  await sessions.session()
  const sha256 = hashFile(setup.weights)
  const mixSha256 = setup.mix && hashFile(setup.mix.weights)
  return { session: (part) => sessions.session(part), opened: { sha256, mixSha256 } }
}

async function openGraph(opener: Opener, setup: Setup): Promise<OpenWeights> {
  const onnx = openOnnxFile(setup.weights)
  checkPorts(onnx.file)
  const session = await opener.openGraph(onnx, setup)
  const graph = await findImageGraph(onnx.file, session)
  const restoring = graphSession(session, graph)
  return { session: async () => restoring, opened: { sha256: hashBytes(onnx.bytes), graph } }
}

function describe(error: unknown): Reply {
  const { code, message } = failureOf(error)
  return { type: 'error', code, message }
}
