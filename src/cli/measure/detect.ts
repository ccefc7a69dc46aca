// limpid detect: which degradations photos have, and how likely, by a DA-CLIP; or, by light-inspect, what is wrong
// and what would be done about it.

import { readCheckpoint } from '../../checkpoints/files.ts'
import type { Finding } from '../../models/daclip/wordRanking.ts'
import { describeNetwork } from '../../registry/loadModel.ts'
import { createDetector } from '../../runtime/detector.ts'
import type { DetectOptions } from '../commands/measure.ts'
import { lookAtAll } from '../io/lookAtAll.ts'
import { dryRun } from './dryRun.ts'

interface Detected {
  /** The likeliest first. */
  readonly degradations: readonly Finding[]
}

export async function detectCommand(given: readonly string[], options: DetectOptions): Promise<void> {
  const { model, weights, tensors, prompts, device, backend, top } = options
  if (weights !== undefined && isInspector(weights))
    return dryRun(given, { guide: weights, device, backend }, options)
  await lookAtAll<Detected>(given, options, async () => {
    const detector = await createDetector({ model, weights, tensors, prompts, device, backend })
    return {
      notes: detector.notes,
      look: async (source, reading) => ({
        degradations: (await detector.run(source, reading)).slice(0, top),
      }),
      describe: ({ degradations }) =>
        degradations.map(
          ({ degradation, probability }) => `${(100 * probability).toFixed(1).padStart(5)} %  ${degradation}`,
        ),
      [Symbol.asyncDispose]: () => detector.close(),
    }
  })
}

/** Whether weights are those of the network that task auto looks with. */
function isInspector(weights: string): boolean {
  return describeNetwork(readCheckpoint(weights)).id === 'light-inspect'
}
