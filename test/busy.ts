// Moments in the life of other processes, by the CPU time that they have used: a busy machine makes no difference.

import { readFileSync } from 'node:fs'

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Hundredths of a second of CPU time that a process has used. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}

/** Resolves when a process has used the CPU for a while, so that it is in the middle of a run. */
export async function untilBusy({ pid }: { readonly pid: number | undefined }, ms: number): Promise<void> {
  const known = pid ?? 0
  const before = ticksOf(known)
  await until(() => ticksOf(known) > before + ms / 10)
}
