import { expect, test } from 'vitest'
import { setThreads, threads } from '../torch/device.ts'
import { FollowingThreads } from './followingThreads.ts'

test('threads follow what other programs leave, and say so once', () => {
  const before = threads()
  try {
    let used = 0
    const following = new FollowingThreads(4, { usedByOthers: () => used })
    const at = (seconds: number) => following.follow(1000 * seconds)
    expect(at(0)).toBeUndefined()
    used = 1.7
    expect(at(1)).toBeUndefined()
    expect(at(6)).toBe(
      'threads: other programs use 1.7 cores, so this training computes with 2 of 4 threads until they end; --threads 4 keeps them all',
    )
    expect(threads()).toBe(2)
    used = 40
    expect(at(12)).toBeUndefined()
    expect(threads()).toBe(1)
    used = 0.4
    at(18)
    expect(threads()).toBe(4)
  } finally {
    setThreads(before)
  }
})
