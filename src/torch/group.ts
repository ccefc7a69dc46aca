// Processes that train one network together: which of them this is, and what they exchange.

import { loadAddon as addon } from '../../native/load.ts'
import { elementCount, float32Data, viewAs } from '../core/data.ts'
import { messageOf, RestoreError } from '../core/errors.ts'
import { cat, type Tensor } from '../core/tensor.ts'
import { deviceOf, fromHandle, grad, handleOf, noGrad, scope, toTorch } from './backend.ts'
import { assign } from './optim.ts'

export interface Group {
  /** 0 … size − 1; the first writes files and tells how it goes. */
  readonly rank: number
  readonly size: number
  /** The same on this machine alone: each of its processes takes a part of the cores, and a device of its own. */
  readonly localRank: number
  readonly localSize: number
}

const alone: Group = { rank: 0, size: 1, localRank: 0, localSize: 1 }
let current = alone

/** How long processes wait for others to come, and for what others do meanwhile, such as to validate: ten minutes, and a day. */
const meetingMs = 600_000
const waitingMs = 86_400_000

/** The processes that train together; one alone unless `joinGroup` has been called. */
export function group(): Group {
  return current
}

type Variables = Readonly<Record<string, string | undefined>>

/** The processes that torchrun's variables tell of: RANK and WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE where there are several machines. */
export function groupOf(env: Variables): Group {
  if (env.WORLD_SIZE === undefined && env.RANK === undefined) return alone
  const whole = (name: string, usual?: number) => wholeOf(name, env[name], usual)
  const size = whole('WORLD_SIZE')
  const rank = whole('RANK')
  if (size < 1 || rank >= size)
    throw new RestoreError('usage', `RANK: expected 0 to WORLD_SIZE − 1, got ${rank} of ${size}`)
  return { rank, size, localRank: whole('LOCAL_RANK', rank), localSize: whole('LOCAL_WORLD_SIZE', size) }
}

/** Meets the others at MASTER_ADDR and MASTER_PORT. */
export function joinGroup(joining: Group, env: Variables): void {
  const { rank, size } = joining
  if (size === 1) return
  const host = env.MASTER_ADDR ?? '127.0.0.1'
  const port = wholeOf('MASTER_PORT', env.MASTER_PORT, 29_500)
  // torchrun's own agent listens where it says so, and keeps what processes wrote before it started them again.
  const listens = rank === 0 && env.TORCHELASTIC_USE_AGENT_STORE !== 'True'
  const name = `limpid/${env.TORCHELASTIC_RESTART_COUNT ?? 0}`
  const options = { name, listens, network: env.GLOO_SOCKET_IFNAME ?? '', meetingMs, waitingMs }
  try {
    addon().joinGroup(host, port, rank, size, options)
  } catch (cause) {
    throw new RestoreError(
      'environment',
      `processes: process ${rank} of ${size} could not meet the others at ${host}:${port} (${messageOf(cause)})`,
      { cause },
    )
  }
  current = joining
}

/** Waits for the others, then leaves them. */
export function leaveGroup(): void {
  if (current.size === 1) return
  averageNumbers([0])
  addon().leaveGroup()
  current = alone
}

function wholeOf(name: string, text: string | undefined, usual?: number): number {
  const value = text === undefined ? usual : Number(text)
  if (value !== undefined && Number.isInteger(value) && value >= 0) return value
  throw new RestoreError(
    'usage',
    `${name}: expected a whole number from 0, as torchrun sets it, got ${text ?? 'none'}`,
  )
}

/** What all processes do at the same time; it fails where one of them is gone. */
function together<T>(exchange: () => T): T {
  try {
    return exchange()
  } catch (cause) {
    throw new RestoreError(
      'environment',
      `processes: process ${current.rank} of ${current.size} lost another (${messageOf(cause)}); what ended that one it tells itself; --resume goes on from the state saved last`,
      { cause },
    )
  }
}

/** The mean over all processes of numbers that each has. */
export function averageNumbers(values: readonly number[]): readonly number[] {
  if (current.size === 1) return values
  const handle = addon().fromBytes(
    new Uint8Array(Float64Array.from(values).buffer),
    [values.length],
    'float64',
    'cpu',
  )
  together(() => addon().sumAcross(handle))
  const sums = new Float64Array(addon().toBytes(handle).slice().buffer)
  addon().release(handle)
  return Array.from(sums, (sum) => sum / current.size)
}

/**
 * Makes every gradient the mean of those of all processes, in one piece and through host memory. One that only others have, as of a task
 * that this process had no batch of, counts as zeros.
 */
export function averageGradients(parameters: ReadonlyMap<string, Tensor>): void {
  if (current.size === 1) return
  scope(() =>
    noGrad(() => {
      const all = [...parameters.values()]
      const shares = averageNumbers(all.map((parameter) => (grad(parameter) ? 1 : 0)))
      const known = all.filter((_, i) => shares[i] !== 0)
      for (const parameter of known)
        if (!grad(parameter)) addon().setGrad(handleOf(parameter), handleOf(parameter.mul(0)))
      const gradients = known.map((parameter) => grad(parameter) as Tensor)
      const [first, ...rest] = gradients.map((gradient) => gradient.reshape([-1]))
      if (!first) return
      const sum = onHost(cat([first, ...rest], 0))
      together(() => addon().sumAcross(handleOf(sum)))
      const mean = sum.div(current.size)
      let at = 0
      for (const gradient of gradients) {
        const shape = gradient.shape as readonly number[]
        const end = at + elementCount(shape)
        assign(gradient, mean.slice(0, at, end).reshape(shape))
        at = end
      }
    }),
  )
}

function onHost(tensor: Tensor): Tensor {
  return deviceOf(tensor) === 'cpu' ? tensor : toTorch(tensor.read())
}

/**
 * Rows [b …] of all processes, one after the other: [size·b …]. Where each process computes the same loss of all rows and gradients are
 * averaged, as a training does, the gradients are those of one process with all rows.
 */
export function gatherRows(rows: Tensor): Tensor {
  const { rank, size } = current
  if (size === 1) return rows
  const b = rows.size(0)
  const device = deviceOf(rows)
  const all = noGrad(() => {
    const collected = fromHandle(together(() => addon().collectAcross(handleOf(onHost(rows)))))
    return device === 'cpu' ? collected : toTorch(collected.read(), device)
  })
  // Their own rows are a process's only ones with a gradient, which the mean over processes divides; the value is as it came.
  const values = all.slice(0, rank * b, (rank + 1) * b)
  const own = values.add(rows.sub(values).mul(size))
  const parts = [all.slice(0, 0, rank * b), own, all.slice(0, (rank + 1) * b, size * b)]
  return cat(parts.filter((part) => part.size(0) > 0) as [Tensor, ...Tensor[]], 0)
}

/** The same for a whole number a row. */
export function gatherNumbers(values: readonly number[]): readonly number[] {
  if (current.size === 1) return values
  const own = toTorch(float32Data(Float32Array.from(values), [values.length]))
  return Array.from(viewAs(gatherRows(own).read().bytes, Float32Array))
}
