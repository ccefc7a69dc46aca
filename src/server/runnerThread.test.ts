import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { BroadcastChannel } from 'node:worker_threads'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { messageOf } from '../core/errors.ts'
import { EmbeddedQueue } from './jobs/embeddedQueue.ts'
import { RunnerThread } from './runnerThread.ts'
import { FolderStore } from './store/folderStore.ts'

const side = 900

/** Stores a picture that takes long, and adds its job. */
async function addJob(folder: string): Promise<void> {
  const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => 96 + ((i * i * 31) % 61))
  const raw = { width: side, height: side, channels: 3 } as const
  const picture = await sharp(data, { raw }).png().toBuffer()
  const { sha256: input } = await new FolderStore(folder).putInput(Readable.from([picture]), 1e8)
  const queue = await EmbeddedQueue.open(folder)
  const limits = { total: 1, owner: 1 }
  await queue.add(
    {
      ...{ id: 'long', owner: 'ann', input, address: 'a'.repeat(64), requestHash: 'long', priority: 0 },
      ...{ settings: { task: 'photo', format: 'png' }, model: 'light-photo' },
      ...{ requestKey: undefined, webhook: undefined },
    },
    limits,
  )
  await queue.close()
}

/** Processes of this one that compute, ended ones left out. */
function computing(): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      const [, state, parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? []
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1')
      return Number(parent) === process.pid && state !== 'Z' && command.includes(join('worker', 'main.'))
    } catch {
      return false
    }
  })
}

test.skipIf(process.platform !== 'linux')(
  'a thread that crashes leaves no process that computes, and another takes its job over',
  { timeout: 120_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'limpid-thread-'))
    await addJob(folder)
    const errors: string[] = []
    const thread = new RunnerThread(
      {
        backends: { data: folder, queue: undefined, store: undefined, lease: 1000 },
        ...{ slots: 1, capacity: 1, timeoutMs: 120_000, pixelLimit: 1e7 },
      },
      {
        metrics: { wait() {}, finish() {}, retry() {} },
        onError: (error) => errors.push(messageOf(error)),
      },
    )
    await expect.poll(computing, { timeout: 60_000 }).toHaveLength(1)
    const [pid] = computing()
    // An emitter throws at an event of this name that nobody handles.
    const channel = new BroadcastChannel(`limpid queue ${folder}`)
    channel.postMessage('error')
    channel.close()
    await expect.poll(() => errors, { timeout: 20_000 }).toHaveLength(1)
    await expect.poll(computing, { timeout: 20_000 }).not.toContain(pid)
    const queue = await EmbeddedQueue.open(folder)
    const attempts = async () => (await queue.find('ann', 'long'))?.attempts
    await expect.poll(attempts, { timeout: 60_000 }).toBe(2)
    await thread.stop(0)
    await queue.close()
    rmSync(folder, { recursive: true, force: true })
  },
)
