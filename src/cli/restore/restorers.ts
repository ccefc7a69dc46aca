// Opens what restores the pictures of a run on this machine.

import type { OverrideRequest } from '../../auto/plan/overrides.ts'
import type { PictureRestorer } from '../../runtime/pictureRestorer.ts'
import { openRestorer } from '../../runtime/restore.ts'
import type { RestorerOptions } from '../../runtime/restorer.ts'
import type { Lane, ReadAhead } from './restoreJobs.ts'

/** What restores pictures, open until it is closed. */
export interface Restorers extends Pick<PictureRestorer, 'license' | 'notes' | 'identity' | 'close'> {
  /** Where it computes, in words. */
  readonly device: string
  readonly lanes: readonly Lane[]
}

/** The networks of a run. */
export type NetworkRequest = RestorerOptions & OverrideRequest

/** Pictures under way at each restorer. */
const lanesOfRestorer = 2

interface OpenRestorers {
  /** Number of restorers. */
  readonly count: number
  /** A picture whose read has started. */
  readonly ahead: ReadAhead | undefined
  readonly signal: AbortSignal
}

/** Opens restorers that share this machine. */
export async function openRestorers(
  request: NetworkRequest,
  { count, ahead, signal }: OpenRestorers,
): Promise<Restorers> {
  const concurrentRestorers = Math.max(1, count)
  const restorers: PictureRestorer[] = []
  const close = async () => {
    await Promise.all(restorers.map((restorer) => restorer.close()))
  }
  try {
    for (let i = 0; i < concurrentRestorers; i++)
      restorers.push(await openRestorer({ ...request, concurrentRestorers, signal }))
  } catch (error) {
    await close()
    throw error
  }
  const laneOf = (restorer: PictureRestorer): Lane => ({
    run: (source, options, job) =>
      ahead?.job === job ? restorer.runRead(ahead.read, options, job.path) : restorer.run(source, options),
  })
  const [first] = restorers as [PictureRestorer, ...PictureRestorer[]]
  return {
    // Those of task auto depend on what the pictures needed.
    get device() {
      return first.device
    },
    get license() {
      return first.license
    },
    notes: first.notes,
    identity: first.identity,
    lanes: restorers.flatMap((restorer) => Array.from({ length: lanesOfRestorer }, () => laneOf(restorer))),
    close,
  }
}
