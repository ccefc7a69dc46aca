// Timing and reporting for the sides of a benchmark, each of which is a separate process.

import { existsSync, readFileSync } from 'node:fs'

/** JSON line that a side prints. */
export interface Measure {
  /** Median of the side's own iterations, in the benchmark's unit. */
  readonly value: number
  readonly peakBytes: number
  /** Value of the reference, if one process measures both. */
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

/**
 * Reads peak (VmHWM) or current (VmRSS) resident memory of a process from /proc; NaN for others without
 * /proc.
 */
export function memoryBytes(name: 'VmHWM' | 'VmRSS', pid: number | 'self' = 'self'): number {
  const file = `/proc/${pid}/status`
  if (existsSync(file)) {
    const kilobytes = new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(file, 'utf8'))?.[1]
    return Number(kilobytes) * 1024
  }
  if (pid !== 'self') return Number.NaN
  return name === 'VmHWM' ? process.resourceUsage().maxRSS * 1024 : process.memoryUsage.rss()
}

/** Prints the figures; `peakBytes` defaults to this process's peak. */
export function report(measure: Omit<Measure, 'peakBytes'> & { readonly peakBytes?: number }): void {
  console.log(JSON.stringify({ peakBytes: memoryBytes('VmHWM'), ...measure }))
}

/** Reproducible values in any language: element i is 0.5 + 0.5·sin(step·i). */
export function wave(count: number, step: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => 0.5 + 0.5 * Math.sin(step * i))
}
