// The loss of light-inspect: whether each kind is there, how severe it is where it is, and the form of noise.

import type { Tensor } from '../../../core/tensor.ts'
import type { LightInspect } from '../../../models/lightInspect/lightInspect.ts'
import type { Batch } from '../../samples/samples.ts'
import type { InspectSamples } from './samples.ts'

/** Losses by name; they are added up. */
export function inspectLosses(
  model: LightInspect,
  batch: Batch<InspectSamples>,
): Readonly<Record<string, Tensor>> {
  const side = batch.view.size(-1)
  const images = (name: 'view' | 'crops') => batch[name].reshape([-1, 3, side, side])
  const view = images('view')
  const b = view.size(0)
  const vectors = (name: Exclude<keyof InspectSamples, 'view' | 'crops'>) => batch[name].reshape([b, -1])
  const found = model.forward({ view, crops: images('crops'), estimates: vectors('estimates') })
  const [presence, severity, known] = [vectors('presence'), vectors('severity'), vectors('known')]
  const error = found.severity.sigmoid().sub(severity)
  const there = presence.mul(known)
  return {
    presence: crossEntropy(found.presence, presence)
      .mul(known)
      .sum()
      .mul(1 / b),
    severity: error
      .mul(error)
      .mul(there)
      .sum()
      .mul(4 / b),
    form: found.form
      .logSoftmax(1)
      .mul(vectors('form'))
      .sum()
      .mul(-0.3 / b),
  }
}

/** Cross-entropy of logits with probabilities, each on its own: relu(z) − z p + log(1 + exp(−|z|)). */
function crossEntropy(logits: Tensor, probability: Tensor): Tensor {
  const rest = logits.abs().neg().exp().add(1).log()
  return logits.relu().sub(logits.mul(probability)).add(rest)
}
