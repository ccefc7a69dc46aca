// How many cores this process may use. libuv counts those that affinity allows; before version 1.49, thus in Node.js 20, it does not know
// the quota of a container, and as many threads as the host has cores would be stopped most of the time.

import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { textOf } from './processes.ts'

let known: number | undefined

/** Cores that affinity and the quotas of control groups leave to this process, rounded up; at least 1. */
export function availableCores(): number {
  known ??= Math.min(availableParallelism(), Math.max(1, Math.ceil(cpuQuota())))
  return known
}

/**
 * Cores' worth of time that the process's control groups allow, Infinity without a limit. On Linux only.
 * @param root where files of the system are found
 */
export function cpuQuota(root = '/'): number {
  const groups = textOf(join(root, 'proc/self/cgroup')) ?? ''
  const mount = join(root, 'sys/fs/cgroup')
  const quotas = groups.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (path === undefined) return []
    // Version 2 has one hierarchy, without controllers in its line; a group's limits hold for those below it.
    if (controllers === '') return withParents(path).map((group) => quotaOf(join(mount, group)))
    if (!controllers?.split(',').includes('cpu')) return []
    return withParents(path).map((group) => oldQuotaOf(join(mount, 'cpu', group)))
  })
  return Math.min(...quotas)
}

/** A group and those above it. */
function withParents(path: string): readonly string[] {
  return path === '/' || path === '.' ? [path] : [path, ...withParents(dirname(path))]
}

function quotaOf(folder: string): number {
  const [quota, period] = textOf(join(folder, 'cpu.max'))?.trim().split(' ') ?? []
  return share(quota, period)
}

function oldQuotaOf(folder: string): number {
  return share(textOf(join(folder, 'cpu.cfs_quota_us')), textOf(join(folder, 'cpu.cfs_period_us')))
}

/** A quota is 'max' or negative where there is no limit. */
function share(quota: string | undefined, period: string | undefined): number {
  const cores = Number(quota) / Number(period)
  return cores > 0 ? cores : Number.POSITIVE_INFINITY
}
