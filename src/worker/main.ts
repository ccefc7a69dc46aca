// The process that computes, started by src/runtime/session/computeProcess.ts: descriptor 3 carries requests and answers, and descriptor 0 ends
// when the process that started this one does, however it ends.

import { Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { type OpenSession, serve } from '../runtime/session/computeServer.ts'
import type { OpenCheckSession } from '../runtime/session/deviceCheck.ts'

/** A run blocks this thread, so another watches; it ends the process at once, as nothing here is worth finishing. */
const watcher = `
  const { Socket } = require('node:net')
  new Socket({ fd: 0 }).on('error', () => {}).on('close', () => process.kill(process.pid, 'SIGKILL')).resume()
`

/** Loaded while the process has nothing else to do; where it cannot be, libtorch may be asked for. */
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
// Ctrl-C reaches the whole group of a terminal; what it means is for the process that started this one to decide.
process.on('SIGINT', () => {})
serve(new Socket({ fd: 3 }), openSession)
