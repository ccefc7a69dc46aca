// limpid worker.

import { RestoreError } from '../../core/errors.ts'
import { unknownName } from '../../core/unknownName.ts'
import { autoTask } from '../../models/tasks.ts'
import { cards } from '../../registry/cards.ts'
import { load } from '../../server/jobs/optionalPackages.ts'
import type { WorkerOptions } from '../commands/serve.ts'
import { watchInterrupts } from '../io/interrupts.ts'
import { printLine, printResult } from '../io/shell.ts'
import { endWithin } from './endWithin.ts'

/** Runs jobs until a signal ends it. */
export async function workerCommand(options: WorkerOptions): Promise<void> {
  const [{ readConfiguration }, { openBackends }, { startWorker }] = await load(
    'worker',
    'prom-client zod',
    () =>
      Promise.all([
        import('../../server/configuration.ts'),
        import('../../server/backends.ts'),
        import('../../server/worker.ts'),
      ]),
  )
  const { config: file, json: _, quiet, verbose: __, ...settings } = options
  const configuration = readConfiguration({ options: settings, environment: process.env, file })
  const {
    host,
    metricsPort,
    models,
    device,
    dtype,
    jobs: slots,
    networks: capacity,
    pixelLimit,
  } = configuration
  if (configuration.queue === undefined)
    throw new RestoreError(
      'usage',
      '--queue: expected redis://… or postgres://… of the queue to work for, got none; limpid serve has the same',
    )
  const known = [...cards.map(({ id }) => id as string), autoTask]
  for (const model of models ?? [])
    if (!known.includes(model)) throw unknownName('model of --models', model, known)
  using interrupts = watchInterrupts(() => printLine('stopping: waiting for jobs under way'))
  const { queue, store, warnings } = await openBackends(configuration)
  for (const warning of warnings) printLine(`warning: ${warning}`)
  const worker = await startWorker({
    ...{ queue, store, host, metricsPort, models, device, dtype, slots, capacity, pixelLimit },
    timeoutMs: configuration.timeout,
    log: quiet ? undefined : process.stderr,
  })
  const { address } = worker
  printResult(options, { address, models: models ?? 'all' }, address ?? 'taking jobs')
  if (!interrupts.signal.aborted)
    await new Promise((resolve) => interrupts.signal.addEventListener('abort', resolve))
  await endWithin(configuration.drain, (drainMs) => worker.stop(drainMs))
}
