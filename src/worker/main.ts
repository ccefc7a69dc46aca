// Entry point of the compute process, started by src/runtime/session/computeProcess.ts. Descriptor 3 carries
// requests and responses; descriptor 0 closes when the parent process exits, for whatever reason.

import { Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { isOutOfMemory, messageOf } from '../core/errors.ts'
import type { Session } from '../core/session.ts'
import { availableCores } from '../files/cores.ts'
import type { LoadedModel } from '../registry/loadModel.ts'
import { unopened } from '../runtime/graphs/findImageGraph.ts'
import { type Opener, serve } from '../runtime/session/computeServer.ts'
import type { OpenCheckSession } from '../runtime/session/deviceCheck.ts'
import type { Setup } from '../runtime/session/protocol.ts'

/** Kills this process when the parent exits; a separate thread, because a run blocks the main one. */
const watcher = `
  const { Socket } = require('node:net')
  new Socket({ fd: 0 }).on('error', () => {}).on('close', () => process.kill(process.pid, 'SIGKILL')).resume()
`

/**
 * Loaded in advance, while the process is idle. A failure is reported only when a session needs ONNX Runtime.
 */
const onnx = import('../runtime/session/nodeOnnxSession.ts')
onnx.then(({ loadOnnxRuntime }) => loadOnnxRuntime()).catch(() => {})

const check = async (name: string, open: OpenCheckSession) => {
  const [{ deviceCheckOutput, checkDevice }, { nodeSession }] = await Promise.all([
    import('../runtime/session/deviceCheck.ts'),
    onnx,
  ])
  const expected = await deviceCheckOutput((_, forward) => nodeSession({ forward }, { threads: 1 }))
  await checkDevice(name, open, expected)
}

/** Options of ONNX Runtime on a device that works. */
const onnxOptions = async ({ device, deviceIndex, threads }: Setup) => {
  const { nodeSession } = await onnx
  const options = { provider: device, deviceIndex, threads, flushesDenormals: true }
  if (device !== 'cpu') await check(device, (_, forward) => nodeSession({ forward }, options))
  return options
}

const openModel: Opener['openModel'] = async (model, setup) => {
  const { backend, device, deviceIndex, dtype, threads } = setup
  if (backend === 'torch') {
    const { torchSession } = await import('../torch/torchSession.ts')
    const { setThreads } = await import('../torch/device.ts')
    setThreads(Math.min(threads, availableCores()))
    if (dtype === 'bfloat16') return bfloat16Session(model)
    const place = device === 'cuda' ? (`cuda:${deviceIndex}` as const) : 'cpu'
    if (place !== 'cpu') await check(place, (network, forward) => torchSession(network, forward, place))
    return torchSession(model.network, model.forward, place)
  }
  const { nodeSession } = await onnx
  return nodeSession(model, await onnxOptions(setup))
}

/** Runs a network on libtorch in bfloat16. */
async function bfloat16Session({ forward }: LoadedModel): Promise<Session> {
  const [{ sessionPerSize }, { regroupChannels }, { fuseNorms }, { inBfloat16 }, { torchGraphSession }] =
    await Promise.all([
      import('../runtime/session/onnxSession.ts'),
      import('../onnx/optimize.ts'),
      import('../onnx/fuseNorms.ts'),
      import('../onnx/bfloat16.ts'),
      import('../torch/torchGraphSession.ts'),
    ])
  return sessionPerSize({ forward }, async (graph) =>
    torchGraphSession(inBfloat16(fuseNorms(regroupChannels(graph)))),
  )
}

const openGraph: Opener['openGraph'] = async ({ file, bytes, externalData }, setup) => {
  const { onnxSession } = await onnx
  const options = await onnxOptions(setup)
  try {
    return await onnxSession(bytes, { ...options, externalData })
  } catch (error) {
    if (setup.device !== 'cpu' || isOutOfMemory(messageOf(error))) throw error
    throw unopened(file.name, error)
  }
}

new Worker(watcher, { eval: true, execArgv: [] })
// These reach the whole process group; the parent process handles them, and this one ends with it.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => {})
serve(new Socket({ fd: 3 }), { openModel, openGraph })
