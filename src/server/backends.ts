// Where jobs and pictures are kept, chosen by the configuration: a folder of one machine, or what many machines share.

import type { Configuration } from './configuration.ts'
import type { JobQueue } from './jobs/job.ts'
import { load } from './jobs/optionalPackages.ts'
import type { Store } from './store/store.ts'

export interface Backends {
  readonly queue: JobQueue
  readonly store: Store
  /** What the operator should change. */
  readonly warnings: readonly string[]
}

/** Where a queue and a store are. */
export type BackendOptions = Pick<Configuration, 'data' | 'queue' | 'store' | 'lease'>

/** @throws RestoreError 'environment' where a package is missing, or the queue or the store cannot be reached */
export async function openBackends(configuration: BackendOptions): Promise<Backends> {
  const { data, queue: address, lease } = configuration
  const leaseMs = lease === undefined ? {} : { leaseMs: lease }
  const store = await openStore(configuration)
  if (address === undefined) {
    const { EmbeddedQueue } = await load('serve', 'libsql', () => import('./jobs/embeddedQueue.ts'))
    return { queue: await EmbeddedQueue.open(data, leaseMs), store, warnings: [] }
  }
  const driver = address.startsWith('postgres') ? 'pg' : 'ioredis'
  const { ClusterQueue } = await load('--queue', `bullmq ${driver}`, () => import('./jobs/clusterQueue.ts'))
  const queue = await ClusterQueue.open({ address, ...leaseMs })
  return { queue, store, warnings: queue.warnings }
}

async function openStore({
  data,
  store: place = data,
}: Pick<Configuration, 'data' | 'store'>): Promise<Store> {
  if (!place.startsWith('s3://')) {
    const { FolderStore } = await import('./store/folderStore.ts')
    return new FolderStore(place)
  }
  const { S3Store } = await load('--store', '@aws-sdk/client-s3', () => import('./store/s3Store.ts'))
  const store = new S3Store(place)
  await store.check()
  return store
}
