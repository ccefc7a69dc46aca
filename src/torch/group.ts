// A group of processes that train one network together, and their collective operations.

import { loadAddon as addon } from '../../native/load.ts'
import { elementCount, float32Data, viewAs } from '../core/data.ts'
import { messageOf, RestoreError } from '../core/errors.ts'
import { cat, type Tensor } from '../core/tensor.ts'
import { deviceOf, fromHandle, grad, handleOf, noGrad, scope, toTorch } from './backend.ts'
import { assign } from './optim.ts'

export interface Group {
  /** 0 … size − 1; rank 0 writes files and reports progress. */
  readonly rank: number
  readonly size: number
  /** Rank among the processes of this machine, which share its cores and have a device each. */
  readonly localRank: number
  /** Number of processes on this machine. */
  readonly localSize: number
}

const singleProcess: Group = { rank: 0, size: 1, localRank: 0, localSize: 1 }
let current = singleProcess

/** Timeout for all processes to join: ten minutes. */
const meetingMs = 600_000
/** Timeout of an exchange, during which another process may be validating: a day. */
const waitingMs = 86_400_000

/** The current group; a single process unless `joinGroup` has been called. */
export function group(): Group {
  return current
}

type Variables = Readonly<Record<string, string | undefined>>

/**
 * Reads the group from torchrun's variables: RANK and WORLD_SIZE, and on several
 * machines LOCAL_RANK and LOCAL_WORLD_SIZE.
 */
export function groupOf(env: Variables): Group {
  if (env.WORLD_SIZE === undefined && env.RANK === undefined) return singleProcess
  const read = (name: string, fallback?: number) => countOf(name, env[name], fallback)
  const size = read('WORLD_SIZE')
  const rank = read('RANK')
  if (size < 1 || rank >= size)
    throw new RestoreError(
      'usage',
      `RANK: expected an integer from 0 to WORLD_SIZE − 1, got ${rank} of ${size}`,
    )
  return { rank, size, localRank: read('LOCAL_RANK', rank), localSize: read('LOCAL_WORLD_SIZE', size) }
}

/** Joins the other processes at MASTER_ADDR and MASTER_PORT. */
export function joinGroup(joined: Group, env: Variables): void {
  const { rank, size } = joined
  if (size === 1) return
  const host = env.MASTER_ADDR ?? '127.0.0.1'
  const port = countOf('MASTER_PORT', env.MASTER_PORT, 29_500)
  // torchrun's agent may host the store itself; it then keeps keys across restarts,
  // hence the restart count in the name.
  const listens = rank === 0 && env.TORCHELASTIC_USE_AGENT_STORE !== 'True'
  const name = `limpid/${env.TORCHELASTIC_RESTART_COUNT ?? 0}`
  const options = { name, listens, network: env.GLOO_SOCKET_IFNAME ?? '', meetingMs, waitingMs }
  try {
    addon().joinGroup(host, port, rank, size, options)
  } catch (cause) {
    throw new RestoreError(
      'environment',
      `processes: process ${rank} of ${size} could not reach the others at ${host}:${port} (${messageOf(cause)})`,
      { cause },
    )
  }
  current = joined
}

/** Leaves the group, after a failure at once: the others then fail too, rather than wait. */
export function leaveGroup({ waitsForOthers }: { readonly waitsForOthers: boolean }): void {
  if (current.size === 1) return
  try {
    if (waitsForOthers) averageNumbers([0])
  } finally {
    addon().leaveGroup()
    current = singleProcess
  }
}

function countOf(name: string, text: string | undefined, fallback?: number): number {
  const value = text === undefined ? fallback : Number(text)
  if (value !== undefined && Number.isInteger(value) && value >= 0) return value
  throw new RestoreError(
    'usage',
    `${name}: expected a non-negative integer, as torchrun sets it, got ${text ?? 'none'}`,
  )
}

/** Runs a collective operation, which fails if another process is gone. */
function collectively<T>(exchange: () => T): T {
  try {
    return exchange()
  } catch (cause) {
    throw new RestoreError(
      'environment',
      `processes: process ${current.rank} of ${current.size} lost another process (${messageOf(cause)}); see that process's own error; --resume continues from the last saved state`,
      { cause },
    )
  }
}

/** Averages numbers over all processes. */
export function averageNumbers(values: readonly number[]): readonly number[] {
  if (current.size === 1) return values
  const handle = addon().fromBytes(
    new Uint8Array(Float64Array.from(values).buffer),
    [values.length],
    'float64',
    'cpu',
  )
  collectively(() => addon().sumAcross(handle))
  const sums = new Float64Array(addon().toBytes(handle).slice().buffer)
  addon().release(handle)
  return Array.from(sums, (sum) => sum / current.size)
}

/**
 * Averages gradients over all processes, in one exchange through host memory. A gradient that this process
 * lacks but others have, such as one of a task without a batch here, counts as zeros.
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
      collectively(() => addon().sumAcross(handleOf(sum)))
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
 * Concatenates the rows [b …] of all processes: [size·b …]. If each process computes the same loss of all
 * rows and gradients are averaged, as in training, the gradients equal those of one process with all rows.
 */
export function gatherRows(rows: Tensor): Tensor {
  const { rank, size } = current
  if (size === 1) return rows
  const b = rows.size(0)
  const device = deviceOf(rows)
  const all = noGrad(() => {
    const collected = fromHandle(collectively(() => addon().collectAcross(handleOf(onHost(rows)))))
    return device === 'cpu' ? collected : toTorch(collected.read(), device)
  })
  // Only a process's own rows have a gradient; `size` undoes the later division by the
  // mean. Values are unchanged.
  const values = all.slice(0, rank * b, (rank + 1) * b)
  const own = values.add(rows.sub(values).mul(size))
  const parts = [all.slice(0, 0, rank * b), own, all.slice(0, (rank + 1) * b, size * b)]
  return cat(parts.filter((part) => part.size(0) > 0) as [Tensor, ...Tensor[]], 0)
}

/** Concatenates the integers of all processes, one per row. */
export function gatherNumbers(values: readonly number[]): readonly number[] {
  if (current.size === 1) return values
  const own = toTorch(float32Data(Float32Array.from(values), [values.length]))
  return Array.from(viewAs(gatherRows(own).read().bytes, Float32Array))
}
