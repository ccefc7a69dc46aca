import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { CpuLoad } from './cpuLoad.ts'

const root = mkdtempSync(join(tmpdir(), 'load-'))
afterAll(() => rmSync(root, { recursive: true }))

/** Lets the cores of a machine have run for these hundredths of a second. */
function write(allowed: string, busy: readonly number[]): void {
  mkdirSync(join(root, 'proc/self'), { recursive: true })
  writeFileSync(join(root, 'proc/self/status'), `Name:\tnode\nCpus_allowed_list:\t${allowed}\n`)
  // Half as user and half as system; time spent idle or waiting for disks is not counted.
  const lines = busy.map((ticks, i) => `cpu${i} ${ticks / 2} 0 ${ticks / 2} 12345 678 0 0 0 0 0`)
  writeFileSync(join(root, 'proc/stat'), ['cpu  1 2 3 4', ...lines, 'intr 5'].join('\n'))
}

test('cores that others use are counted among those that this process may use', async () => {
  write('0-1,3', [0, 0, 0, 0])
  const load = new CpuLoad(root)
  const since = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 100))
  const passed = (performance.now() - since) / 10
  write('0-1,3', [passed, 0, 5000, passed / 2])
  const measured = load.measure()
  expect(measured?.cores).toBe(3)
  // This process, which is not among them, was not idle.
  expect(measured?.ofOthers).toBeLessThanOrEqual(1.5)
  expect(measured?.ofOthers).toBeGreaterThan(0.5)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(load.measure()?.ofOthers).toBe(0)
})

test('where the system does not count, the load is unknown', () => {
  const load = new CpuLoad(join(root, 'elsewhere'))
  expect(load.measure()).toBeUndefined()
})
