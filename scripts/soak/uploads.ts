// Many uploads at once, then many small jobs: all are answered, none that was accepted is lost, the event loop stays free
// and memory flat.

import { createClient, ServerError } from '../../src/client.ts'
import { numberedPicture } from './cluster.ts'
import { ServedProgram } from './servedProgram.ts'

const burst = 1000
const side = 32
const delay = 'limpid_nodejs_eventloop_lag_p99_seconds'
const memory = 'limpid_process_resident_memory_bytes'

async function picture(number: number): Promise<Blob> {
  return new Blob([new Uint8Array(await numberedPicture(number, side))], { type: 'image/png' })
}

export async function uploadsSoak(count = 10_000): Promise<string> {
  await using server = await ServedProgram.start('--queue-limit', '300', '--queue-per-key', '300')
  const client = createClient({ address: server.address })
  const pictures = await Promise.all(Array.from({ length: burst }, (_, i) => picture(i)))
  await server.metrics(delay)
  const started = performance.now()
  const answers = await Promise.all(
    pictures.map((one) =>
      client.submit(one).catch((error: unknown) => (error instanceof ServerError ? error.status : error)),
    ),
  )
  const seconds = (performance.now() - started) / 1000
  const [lag = 0] = await server.metrics(delay)
  const accepted = answers.filter(
    (answer) => typeof answer === 'object' && answer !== null && 'id' in answer,
  ) as { id: string }[]
  const busy = answers.filter((answer) => answer === 429).length
  if (accepted.length + busy !== burst)
    throw new Error(
      `expected 202 or 429 alone, got also ${answers.find((one) => one !== 429 && !accepted.includes(one as never))}`,
    )
  const ended = await Promise.all(accepted.map(({ id }) => stateOf(client, id)))
  const lost = ended.filter((state) => state !== 'succeeded').length
  const sizes: number[] = []
  for (let i = 0; i < count; i++) {
    await client.restore(await picture(burst + i), { format: 'png' })
    if ((i + 1) % (count / 10) !== 0) continue
    sizes.push((await server.metrics(memory))[0] ?? 0)
    console.error(`${i + 1} of ${count}: ${Math.round(sizes.at(-1)! / 1e6)} MB`)
  }
  const [early = 0, late = 0] = [sizes[1], sizes.at(-1)]
  return `${burst} uploads at once: ${accepted.length} accepted and ${busy} refused with 429 in ${seconds.toFixed(1)} s, ${lost} lost, event-loop delay p99 ${(1000 * lag).toFixed(0)} ms; ${count} small jobs: ${Math.round(early / 1e6)} MB after a fifth, ${Math.round(late / 1e6)} MB at the end`
}

async function stateOf(client: ReturnType<typeof createClient>, id: string): Promise<string> {
  let last = ''
  for await (const { state } of client.events(id)) last = state
  return last
}
