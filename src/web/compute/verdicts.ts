// Keeps which device suits a network, in the browser's Cache Storage, which pages and workers share.

import { openCache } from '../store/cacheStorage.ts'
import type { Device } from './sessionHost.ts'

const cacheName = 'limpid-devices'

/** Verdicts of another version of how devices are compared do not count. */
const version = 1

function addressOf(key: string): string {
  return `/${cacheName}/${version}/${encodeURIComponent(key)}`
}

/** Reads what was found before; undefined for nothing. */
export async function readVerdict(key: string): Promise<Device | undefined> {
  const response = await (await openCache(cacheName))?.match(addressOf(key))
  const text = await response?.text()
  return text === 'webgpu' || text === 'cpu' ? text : undefined
}

/** Keeps what was found; a full storage only means that it is found out again. */
export async function writeVerdict(key: string, device: Device): Promise<void> {
  const cache = await openCache(cacheName)
  await cache?.put(addressOf(key), new Response(device)).catch(() => {})
}
