// Restores the pictures of a run by the workers of a queue: limpid restore --queue.

import { resolve } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { decodeBytes } from '../../data/decode.ts'
import { formatOfExtension } from '../../data/extensions.ts'
import { canvasPicture, rawPicture } from '../../runtime/pictures/pictureTypes.ts'
import { openRestorer } from '../../runtime/restore.ts'
import type { FolderResult, FolderRun } from '../../server/folderRun.ts'
import { load } from '../../server/jobs/optionalPackages.ts'
import type { Format, Settings } from '../../server/protocol/settings.ts'
import type { RestoreOptions } from '../commands/restore.ts'
import type { Lane, Restoration, Treatment } from './restoreJobs.ts'
import type { RestorePlan } from './restorePlan.ts'
import type { RestoreProgress } from './restoreProgress.ts'
import type { NetworkRequest, Restorers } from './restorers.ts'

/** Pictures that are queued at once, fewer than fronts take by default. */
const defaultJobs = 32

/** Options of a run that workers have no setting for. */
const ofThisMachine = [
  ...(['weights', 'tensors', 'guide', 'mix', 'options', 'prefer', 'maxSigma', 'sampler', 'noise'] as const),
  ...(['overlap', 'threads', 'pixelLimit'] as const),
]

/** Those that always have a value. */
const defaults = { tile: 'auto', blend: 'smooth', backend: 'auto', device: 'auto', dtype: 'float32' } as const

/** Whether other machines restore the pictures. */
export function isShared({ queue, store }: RestoreOptions): boolean {
  return queue !== undefined || store !== undefined
}

/** Refuses what workers cannot do. @throws RestoreError 'usage' */
export function checkShared(options: RestoreOptions): void {
  const named = ofThisMachine.find((name) => options[name] !== undefined)
  const changed = Object.entries(defaults).find(([name, value]) => Reflect.get(options, name) !== value)?.[0]
  const several = (options.samples ?? 1) > 1 ? 'samples' : undefined
  const refused = named ?? changed ?? several ?? (options.dryRun ? 'dryRun' : undefined)
  if (refused === undefined) return
  const option = `--${refused.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  throw new RestoreError(
    'usage',
    `${option}: expected options that workers take, got one of this machine beside --queue; leave it out`,
  )
}

interface SharedRun {
  readonly plan: RestorePlan
  readonly options: RestoreOptions
  readonly progress: RestoreProgress
  readonly signal: AbortSignal
}

/**
 * Opens a run by workers. Its networks are opened here once, which refuses and notes what a run on this machine would,
 * and tells the manifest the same.
 */
export async function openWorkers(
  request: NetworkRequest,
  treatment: Treatment,
  { plan, options, progress, signal }: SharedRun,
): Promise<Restorers> {
  const network = await openRestorer({ ...request, signal })
  const { license, notes, identity } = network
  await network.close()
  const folder = resolve(plan.folder ?? plan.jobs[0]?.output ?? '')
  const run = await openRun(options, {
    ...{ folder, settings: settingsOf(request, treatment) },
    onNotice: (notice) => progress.say(notice),
  })
  const lane = laneOf(run)
  const lanes = Array.from({ length: options.jobs ?? defaultJobs }, () => lane)
  return { license, notes, identity, device: 'workers', lanes, close: () => run.close() }
}

type RunSetup = Pick<ConstructorParameters<typeof FolderRun>[0], 'folder' | 'settings' | 'onNotice'>

async function openRun(
  { queue: address, store: place }: RestoreOptions,
  setup: RunSetup,
): Promise<FolderRun> {
  const modules = () =>
    Promise.all([
      import('../../server/configuration.ts'),
      import('../../server/backends.ts'),
      import('../../server/folderRun.ts'),
    ])
  const [{ readConfiguration }, { openBackends }, { FolderRun: Run }] = await load('--queue', 'zod', modules)
  const given = { queue: address, store: place }
  const configuration = readConfiguration({ options: given, environment: process.env, file: undefined })
  const { queue, store, warnings } = await openBackends(configuration)
  for (const warning of warnings) setup.onNotice(`warning: ${warning}`)
  return new Run({ ...setup, queue, store })
}

function settingsOf(request: NetworkRequest, treatment: Treatment): Settings {
  const { task, model, scale, only, never, damage } = request
  const { strength, selfEnsemble, steps, seed, opacity, background, quality, strip } = treatment
  return {
    ...{ task, model, scale, strength, selfEnsemble, steps, seed, opacity, background, quality },
    ...{ only: only?.join(','), never: never?.join(','), damage: damage?.join(',') },
    ...(strip === false ? {} : { strip: strip === true ? 'all' : strip }),
  }
}

function laneOf(run: FolderRun): Lane {
  return {
    async run(source, { signal = new AbortController().signal, onProgress, name = '', page }, job) {
      const format = formatOfExtension(job.format)
      const result = await run.restore({
        ...{ source, name, page, signal },
        output: resolve(job.output),
        format: (format === 'jpg' ? 'jpeg' : format) as Format,
        onProgress: (done, total) => onProgress?.({ phase: 'restore', done, total }),
      })
      return restorationOf(result)
    },
  }
}

/** A result of a worker, which has encoded it. */
function restorationOf({ bytes, report: { info }, isOriginal }: FolderResult): Restoration {
  return {
    ...{ info, samples: [], spread: undefined },
    seconds: info.seconds.read + info.seconds.restore,
    isOriginal: () => isOriginal,
    toBuffer: async () => bytes,
    async toImageData() {
      return canvasPicture((await decodeBytes(bytes, { colors: 'srgb' })).pixels)
    },
    async raw() {
      const { pixels, metadata } = await decodeBytes(bytes)
      return rawPicture(pixels, metadata?.icc)
    },
  }
}
