// Entry point of the compute process, started by src/runtime/session/computeProcess.ts. Descriptor 3 carries
// requests and responses; descriptor 0 closes when the parent process exits, for whatever reason.

import { Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { type OpenSession, serve } from '../runtime/session/computeServer.ts'
import type { OpenCheckSession } from '../runtime/session/deviceCheck.ts'

/** Kills this process when the parent exits; a separate thread, because a run blocks the main one. */
const watcher = `
  const { Socket } = require('node:net')
  new Socket({ fd: 0 }).on('error', () => {}).on('close', () => process.kill(process.pid, 'SIGKILL')).resume()
`

/**
 * Loaded in advance, while the process is idle. A failure is reported only when a session needs ONNX Runtime.
 */
const onnx = import('../runtime/session/nodeOnnxSession.ts')
onnx.catch(() => {})

const openSession: OpenSession = async (model, { backend, device, deviceIndex, threads }) => {
  const check = async (name: string, open: OpenCheckSession) => {
    const [{ deviceCheckOutput, checkDevice }, { nodeSession }] = await Promise.all([
      import('../runtime/session/deviceCheck.ts'),
      onnx,
    ])
    const expected = await deviceCheckOutput((_, forward) => nodeSession({ forward }, { threads: 1 }))
    await checkDevice(name, open, expected)
  }
  if (backend === 'torch') {
    const { torchSession } = await import('../torch/torchSession.ts')
    const place = device === 'cuda' ? (`cuda:${deviceIndex}` as const) : 'cpu'
    if (place !== 'cpu') await check(place, (network, forward) => torchSession(network, forward, place))
    return torchSession(model.network, model.forward, place)
  }
  const { nodeSession } = await onnx
  const options = { provider: device, deviceIndex, threads, flushesDenormals: true }
  if (device !== 'cpu') await check(device, (_, forward) => nodeSession({ forward }, options))
  return nodeSession(model, options)
}

new Worker(watcher, { eval: true, execArgv: [] })
// Ctrl-C reaches the whole process group; the parent process handles it.
process.on('SIGINT', () => {})
serve(new Socket({ fd: 3 }), openSession)
