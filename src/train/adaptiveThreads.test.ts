import { expect, test } from 'vitest'
import { AdaptiveThreads } from './adaptiveThreads.ts'

/** Threads of a training on a machine of some cores, of which others use what is set. */
function onMachine(cores: number, most: number) {
  const machine = { ofOthers: 0, threads: most }
  const adaptive = new AdaptiveThreads(
    most,
    (count) => {
      machine.threads = count
    },
    { measure: () => ({ cores, ofOthers: machine.ofOthers }) },
  )
  let seconds = 0
  const later = (passed: number) => {
    seconds += passed
    return adaptive.adapt(1000 * seconds)
  }
  return { machine, later }
}

test('threads adapt to what other programs leave, and say so once', () => {
  const { machine, later } = onMachine(4, 4)
  expect(later(0)).toBeUndefined()
  machine.ofOthers = 1.7
  expect(later(1)).toBeUndefined()
  expect(later(5)).toBe(
    'threads: other programs use 1.7 cores, so this training computes with 2 of 4 threads until they end; --threads 4 keeps them all',
  )
  expect(machine.threads).toBe(2)
  machine.ofOthers = 40
  expect(later(6)).toBeUndefined()
  expect(machine.threads).toBe(1)
  machine.ofOthers = 0.4
  later(6)
  expect(machine.threads).toBe(4)
})

test('with a quota, neighbors on the other cores of the host take no thread', () => {
  const { machine, later } = onMachine(64, 2)
  machine.ofOthers = 30
  expect(later(6)).toBeUndefined()
  expect(machine.threads).toBe(2)
  machine.ofOthers = 63.2
  later(6)
  expect(machine.threads).toBe(1)
})
