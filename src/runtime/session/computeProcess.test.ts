import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until, untilBusy } from '../../../test/busy.ts'
import { builtModule } from '../../../test/limpid.ts'
import { writeSafetensors } from '../../checkpoints/files.ts'
import { float32Data } from '../../core/data.ts'
import { Restormer, restormerDefaults } from '../../models/restormer/restormer.ts'
import { randomInit } from '../../nn/init.ts'
import { stateDict } from '../../nn/module.ts'
import { ProcessSession } from './computeProcess.ts'
import type { Setup } from './protocol.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-compute-'))
const weights = join(dir, 'tiny.safetensors')
const setup: Setup = {
  weights,
  options: {},
  backend: 'onnx',
  device: 'cpu',
  deviceIndex: 0,
  dtype: 'float32',
  threads: 1,
}

beforeAll(() => {
  const options = { ...restormerDefaults, dim: 16, numBlocks: [1, 1, 1, 1], numRefinementBlocks: 1 } as const
  let at = 0
  const network = new Restormer(
    randomInit(() => (++at * 0.618) % 1),
    options,
  )
  writeSafetensors(weights, new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function input(side: number) {
  const values = Float32Array.from({ length: 3 * side * side }, (_, i) => (i % 251) / 251)
  return { x: float32Data(values, [1, 3, side, side]) }
}

/** Takes some seconds on one thread, long enough to be interrupted. */
const longInput = () => input(1024)

function isRunning(pid: number | undefined): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const busy = (session: ProcessSession) => untilBusy(session, 300)

describe.skipIf(!existsSync('/proc/self/stat'))('a session in a separate process', () => {
  test('gives the same results after inputs of other sizes, and reports the weights', async () => {
    const session = await ProcessSession.open(setup)
    expect(session.opened.sha256).toMatch(/^[0-9a-f]{64}$/)
    const [first, other, again] = await Promise.all([16, 24, 16].map((side) => session.run(input(side))))
    expect(first?.y?.shape).toEqual([1, 3, 16, 16])
    expect(other?.y?.shape).toEqual([1, 3, 24, 24])
    expect(again?.y?.bytes).toEqual(first?.y?.bytes)
    await session.close()
  })

  test('does not block the caller while it runs', async () => {
    const session = await ProcessSession.open(setup)
    const running = session.run(input(512))
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    await running
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(10)
    await session.close()
  })

  test('reports an error of the network, and the process goes on', async () => {
    const session = await ProcessSession.open(setup)
    const { pid } = session
    await expect(session.run(input(9))).rejects.toThrow('x: expected [b 3 h w]')
    expect((await session.run(input(8))).y?.shape).toEqual([1, 3, 8, 8])
    expect(session.pid).toBe(pid)
    await session.close()
  })

  test('fails to open if the weights cannot be read', async () => {
    await expect(ProcessSession.open({ ...setup, weights: join(dir, 'none.pth') })).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('none.pth: no such file'),
    })
  })

  test.each([
    ['SIGSEGV', 'crash', 'ended unexpectedly (SIGSEGV)'],
    ['SIGABRT', 'crash', 'ended unexpectedly (SIGABRT)'],
    ['SIGKILL', 'memory', 'ran out of memory (SIGKILL)'],
  ] as const)('%s in the middle of a run fails only that run', async (signal, code, message) => {
    const session = await ProcessSession.open(setup)
    const { pid } = session
    const failed = session.run(longInput())
    const next = session.run(input(8))
    const outcome = expect(failed).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
    await busy(session)
    process.kill(pid ?? 0, signal)
    await outcome
    expect((await next).y?.shape).toEqual([1, 3, 8, 8])
    expect(session.pid).not.toBe(pid)
    await session.close()
  })

  test('a process that was stopped goes on', async () => {
    const session = await ProcessSession.open(setup)
    process.kill(session.pid ?? 0, 'SIGSTOP')
    expect((await session.run(input(8))).y?.shape).toEqual([1, 3, 8, 8])
    await session.close()
  })

  test('an abort in the middle of a run takes effect at once and ends the process', async () => {
    const session = await ProcessSession.open(setup)
    const { pid } = session
    const controller = new AbortController()
    const outcome = expect(session.run(longInput(), controller)).rejects.toMatchObject({ code: 'aborted' })
    await busy(session)
    controller.abort()
    await outcome
    // A process that has finished its run lives on.
    await until(() => !isRunning(pid))
    expect((await session.run(input(8))).y?.shape).toEqual([1, 3, 8, 8])
    await session.close()
  })

  test('an abort in the queue does not affect the run before it', async () => {
    const session = await ProcessSession.open(setup)
    const { pid } = session
    const first = session.run(input(64))
    const controller = new AbortController()
    const second = session.run(input(64), controller)
    controller.abort()
    await expect(second).rejects.toMatchObject({ code: 'aborted' })
    expect((await first).y?.shape).toEqual([1, 3, 64, 64])
    expect(session.pid).toBe(pid)
    await session.close()
  })

  test('an abort while it opens ends the process', async () => {
    const controller = new AbortController()
    const opening = ProcessSession.open(setup, controller)
    controller.abort()
    await expect(opening).rejects.toMatchObject({ code: 'aborted' })
  })

  test('closing in the middle of a run cancels it, and later runs are rejected', async () => {
    const session = await ProcessSession.open(setup)
    const { pid } = session
    const outcome = expect(session.run(longInput())).rejects.toMatchObject({ code: 'aborted' })
    await busy(session)
    await session.close()
    await outcome
    expect(isRunning(pid)).toBe(false)
    await expect(session.run(input(8))).rejects.toMatchObject({ code: 'usage' })
  })

  test('closing while the process restarts leaves none behind', async () => {
    const session = await ProcessSession.open(setup)
    process.kill(session.pid ?? 0, 'SIGSEGV')
    await until(() => session.pid === undefined)
    const outcome = expect(session.run(input(8))).rejects.toMatchObject({ code: 'aborted' })
    // Long enough for the run to leave the queue.
    await new Promise((resolve) => setTimeout(resolve, 50))
    await session.close()
    await outcome
    expect(session.pid).toBeUndefined()
  })

  test('sessions run concurrently', async () => {
    const sessions = await Promise.all([ProcessSession.open(setup), ProcessSession.open(setup)])
    const [a, b] = await Promise.all(sessions.map((session) => session.run(input(32))))
    expect(a?.y?.bytes).toEqual(b?.y?.bytes)
    await Promise.all(sessions.map((session) => session.close()))
  })
})

describe.skipIf(!existsSync('/proc/self/stat'))('the compute process', () => {
  const compute = pathToFileURL(builtModule('src/runtime/session/computeProcess')).href
  const script = (rest: string) => `
    import { ProcessSession } from ${JSON.stringify(compute)}
    const session = await ProcessSession.open(${JSON.stringify(setup)})
    process.stdout.write(String(session.pid) + '\\n')
    ${rest}`
  const start = (rest: string) =>
    spawn(process.execPath, ['--input-type=module', '-e', script(rest)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })

  test('ends when the process that started it is killed in the middle of a run', async () => {
    const parent = start(`
      const side = 1024
      await session.run({ x: { dtype: 'float32', shape: [1, 3, side, side], bytes: new Uint8Array(12 * side * side) } })`)
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.once('data', (line) => resolve(Number(line)))
    })
    expect(isRunning(pid)).toBe(true)
    parent.kill('SIGKILL')
    await until(() => !isRunning(pid))
  })

  test('that cannot be started for want of file descriptors is one error, and the next one works', async () => {
    const exhausted = `
      import { closeSync, openSync } from 'node:fs'
      import { ProcessSession } from ${JSON.stringify(compute)}
      const held = []
      try { for (;;) held.push(openSync('/dev/null')) } catch {}
      const tell = ({ name, code }) => console.log(name, code)
      await ProcessSession.open(${JSON.stringify(setup)}).catch(tell)
      for (const file of held) closeSync(file)
      await (await ProcessSession.open(${JSON.stringify(setup)})).close()
      console.log('works')`
    const words = ['--input-type=module', '-e', exhausted]
    const child = spawn('sh', ['-c', 'ulimit -n 256; exec "$@"', 'sh', process.execPath, ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.on('data', (text) => {
      output += text
    })
    const code = await new Promise((resolve) => {
      child.on('close', resolve)
    })
    expect([code, output]).toEqual([0, 'RestoreError environment\nworks\n'])
  })

  test('does not keep the process that started it alive while idle', async () => {
    const parent = start('')
    const code = await new Promise((resolve) => {
      parent.on('close', resolve)
    })
    expect(code).toBe(0)
  })
})
