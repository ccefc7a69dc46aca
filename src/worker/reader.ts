// Entry point of a process that reads pictures, started by src/runtime/reading/readerProcess.ts. Descriptor 3 carries
// requests and replies; descriptor 0 closes when the parent process exits, for whatever reason.

import { Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import type { NamedData } from '../core/session.ts'
import { type DecodeOptions, decodeBytes, imageSize } from '../data/decode.ts'
import { type ReadReply, type ReadRequest, toFrame } from '../runtime/reading/readProtocol.ts'
import { type Frame, receiveFrames, sendFrame } from '../runtime/session/frames.ts'
import { failureOf } from '../runtime/session/runtimeErrors.ts'

/** Kills this process when the parent exits; a separate thread, because some decoders block the main one. */
const watcher = `
  const { Socket } = require('node:net')
  new Socket({ fd: 0 }).on('error', () => {}).on('close', () => process.kill(process.pid, 'SIGKILL')).resume()
`

/** The file whose size was asked for last. */
let opened: { readonly input: string | Uint8Array; readonly options: DecodeOptions } | undefined

async function answer({ message, tensors }: Frame<ReadRequest>): Promise<[ReadReply, NamedData]> {
  if (message.type === 'size') {
    const { path, options } = message
    const input = path ?? tensors.file?.bytes
    if (input === undefined) throw new TypeError('expected the path or the bytes of a file')
    opened = { input, options }
    return [{ type: 'size', size: await imageSize(input, options) }, {}]
  }
  if (!opened) throw new TypeError('expected the size to be asked for first')
  const { input, options } = opened
  opened = undefined
  const [facts, parts] = toFrame(await decodeBytes(input, options))
  return [{ type: 'pixels', facts }, parts]
}

new Worker(watcher, { eval: true, execArgv: [] })
// These reach the whole process group; the parent process handles them, and this one ends with it.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => {})
const socket = new Socket({ fd: 3 })
receiveFrames<ReadRequest>(socket, async (frame) => {
  const [reply, parts] = await answer(frame).catch((error): [ReadReply, NamedData] => {
    const { code, message } = failureOf(error)
    return [{ type: 'error', code, message }, {}]
  })
  sendFrame(socket, reply, parts)
})
