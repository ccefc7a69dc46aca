// Damaged files to a server: each is restored or refused, the process lives, and others are served.

import sharp from 'sharp'
import { counterRandom } from '../../src/core/random.ts'
import { mutatedFiles } from '../../test/mutations.ts'
import { ServedProgram } from './servedProgram.ts'

const memory = 'limpid_process_resident_memory_bytes'

export async function mutatedSoak(count = 2000): Promise<string> {
  await using server = await ServedProgram.start('--pixel-limit', '2', '--max-bytes', '4MB')
  const post = (body: Uint8Array) =>
    fetch(`${server.address}/v1/restore`, {
      ...{ method: 'POST', body: new Uint8Array(body), headers: { 'content-type': 'image/png' } },
    })
  const clean = await sharp({ create: { width: 32, height: 32, channels: 3, background: 'teal' } })
    .png()
    .toBuffer()
  const outcomes = new Map<string, number>()
  let peak = 0
  let done = 0
  for await (const { kind, bytes } of mutatedFiles(count, counterRandom(11))) {
    const answer = await post(bytes)
    const { status } = answer
    const code = status === 200 ? 'restored' : ((await answer.json()) as { code: string }).code
    if (status === 200) await answer.arrayBuffer()
    if (status !== 200 && code !== 'input')
      throw new Error(`${kind} ${done}: expected a result or a problem of code input, got ${status} ${code}`)
    outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
    if (++done % 50 !== 0) continue
    const [resident = 0] = await server.metrics(memory)
    peak = Math.max(peak, resident)
    if ((await post(clean)).status !== 200)
      throw new Error(`${done}: expected a clean picture to be restored`)
    console.error(`${done} of ${count}`)
  }
  const [restored, refused] = [outcomes.get('restored') ?? 0, outcomes.get('input') ?? 0]
  return `${count} damaged files: ${restored} restored, ${refused} refused with 422, none else; the process lived, at most ${Math.round(peak / 1e6)} MB; every 50th time a clean picture was restored`
}
