// limpid restore --dry-run, and limpid detect: what is found in photos, and what would be done.

import type { OverrideRequest } from '../../auto/plan/overrides.ts'
import type { Plan } from '../../auto/plan/plan.ts'
import { describePlan } from '../../auto/repairInfo.ts'
import { createAutoRestorer } from '../../runtime/autoRestorer.ts'
import type { RestorerOptions } from '../../runtime/restorer.ts'
import { type LookOptions, lookAtAll } from '../io/lookAtAll.ts'

export interface DryRunOptions extends LookOptions {
  /** Largest strength of a step. @default 1 */
  readonly strength?: number | undefined
  /** Most findings that are told. @default all */
  readonly top?: number | undefined
}

/** Plans all pictures and prints the plans. */
export async function dryRun(
  inputs: readonly string[],
  request: RestorerOptions & OverrideRequest,
  options: DryRunOptions,
): Promise<void> {
  const { strength, top } = options
  await lookAtAll<Plan>(inputs, options, async () => {
    const restorer = await createAutoRestorer({ ...request, task: 'auto' })
    return {
      notes: restorer.notes,
      look: async (source, reading) => {
        const plan = await restorer.plan(source, { ...reading, strength })
        return { ...plan, findings: plan.findings.slice(0, top) }
      },
      describe: describePlan,
      [Symbol.asyncDispose]: () => restorer.close(),
    }
  })
}
