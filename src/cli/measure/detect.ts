// limpid detect: by light-inspect, what is wrong with photos and what would be done about it; by a DA-CLIP, how likely
// each of ten degradations is, or any texts.

import { readCheckpoint } from '../../checkpoints/files.ts'
import type { Finding } from '../../models/daclip/wordRanking.ts'
import { lightInspectFacts } from '../../models/lightInspect/cards.ts'
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
  if (isInspecting(options)) return dryRun(given, { guide: weights, device, backend }, options)
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

/** Whether task auto's network looks: it is named, or nothing is asked that only a DA-CLIP knows. */
function isInspecting({ model, weights, prompts, top }: DetectOptions): boolean {
  if (weights !== undefined) return describeNetwork(readCheckpoint(weights)).id === lightInspectFacts.id
  if (model !== undefined) return model === lightInspectFacts.id
  return prompts === undefined && top === undefined
}
