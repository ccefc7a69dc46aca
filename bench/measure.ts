// What a side of a benchmark, a process of its own, uses to time itself and to report.

import { existsSync, readFileSync } from 'node:fs'

/** The one JSON line that a side prints. */
export interface Measure {
  /** Median of the side's own iterations, in the benchmark's unit. */
  readonly value: number
  readonly peakBytes: number
  /** What the other side would report, where one process measures both. */
  readonly reference?: number
  /** Time before the first iteration can start, in seconds. */
  readonly prepareSeconds?: number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Median seconds of a step after warm-ups. */
export async function medianSeconds(
  step: () => unknown,
  { warmups, runs }: { readonly warmups: number; readonly runs: number },
): Promise<number> {
  for (let i = 0; i < warmups; i++) await step()
  const seconds: number[] = []
  for (let i = 0; i < runs; i++) {
    const start = performance.now()
    await step()
    seconds.push((performance.now() - start) / 1000)
  }
  return median(seconds)
}

/** A line of Linux's /proc/PID/status in bytes, such as VmHWM, the peak of resident memory, or VmRSS. */
export function memoryBytes(name: 'VmHWM' | 'VmRSS', pid: number | 'self' = 'self'): number {
  const file = `/proc/${pid}/status`
  if (existsSync(file)) {
    const kilobytes = new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(file, 'utf8'))?.[1]
    return Number(kilobytes) * 1024
  }
  if (pid !== 'self') return Number.NaN
  return name === 'VmHWM' ? process.resourceUsage().maxRSS * 1024 : process.memoryUsage.rss()
}

/** Prints the figures; the peak is this process's own unless one is given. */
export function report(measure: Omit<Measure, 'peakBytes'> & { readonly peakBytes?: number }): void {
  console.log(JSON.stringify({ peakBytes: memoryBytes('VmHWM'), ...measure }))
}

/** Values that need no random generator: element i is 0.5 + 0.5·sin(step·i). */
export function wave(count: number, step: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => 0.5 + 0.5 * Math.sin(step * i))
}
