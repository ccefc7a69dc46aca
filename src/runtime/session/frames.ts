// Wire format between two processes: frames of a JSON message and the raw bytes of tensors.

import type { Socket } from 'node:net'
import type { TensorData } from '../../core/data.ts'
import type { NamedData } from '../../core/session.ts'

/** A message with tensors. */
export interface Frame<M> {
  readonly message: M
  readonly tensors: NamedData
}

type TensorHeader = Omit<TensorData, 'bytes'> & { readonly name: string; readonly byteLength: number }

interface FrameHeader<M> {
  readonly message: M
  readonly parts: readonly TensorHeader[]
}

/** Sends a frame; its tensors are not copied, so they must not change until the reply arrives. */
export function sendFrame(socket: Socket, message: object, tensors: NamedData = {}): void {
  const named = Object.entries(tensors)
  const parts = named.map(([name, { dtype, shape, bytes }]): TensorHeader => {
    return { name, dtype, shape, byteLength: bytes.length }
  })
  const header = Buffer.from(JSON.stringify({ message, parts } satisfies FrameHeader<object>))
  const size = Buffer.alloc(4)
  size.writeUInt32LE(header.length)
  socket.cork()
  socket.write(size)
  socket.write(header)
  for (const [, { bytes }] of named) if (bytes.length > 0) socket.write(bytes)
  socket.uncork()
}

/**
 * Calls `onFrame` for every frame that arrives; bytes of tensors are copied once, into memory of their own.
 */
export function receiveFrames<M>(socket: Socket, onFrame: (frame: Frame<M>) => void): void {
  let target = Buffer.alloc(4)
  let filled = 0
  let next: (bytes: Buffer) => void

  const expect = (length: number, then: (bytes: Buffer) => void) => {
    // Unpooled memory, which is aligned for views of any dtype.
    target = Buffer.allocUnsafeSlow(length)
    filled = 0
    next = then
    if (length === 0) then(target)
  }
  const expectFrame = () => expect(4, (size) => expect(size.readUInt32LE(), expectParts))
  const expectParts = (header: Buffer) => {
    const { message, parts } = JSON.parse(header.toString()) as FrameHeader<M>
    const tensors: Record<string, TensorData> = {}
    const takePart = (index: number) => {
      const part = parts[index]
      if (!part) {
        expectFrame()
        onFrame({ message, tensors })
        return
      }
      const { name, dtype, shape, byteLength } = part
      expect(byteLength, ({ buffer }) => {
        // No `Buffer`, whose `slice` shares memory.
        tensors[name] = { dtype, shape, bytes: new Uint8Array(buffer) }
        takePart(index + 1)
      })
    }
    takePart(0)
  }
  expectFrame()
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; ) {
      const count = chunk.copy(target, filled, at)
      at += count
      filled += count
      if (filled === target.length) next(target)
    }
  })
}
