// Restores a photo with a tone network that is being trained, for its validation.

import { hostTensor } from '../../../core/hostBackend.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { imageToTensor, tensorToImage } from '../../../data/image.ts'
import { viewPx } from '../../../data/tone/features.ts'
import { applyTone, planTone, type ToneParts } from '../../../data/tone/toneMaps.ts'
import { toneInputs, toneMapsOf } from '../../../data/tone/toneTensors.ts'
import { viewOf } from '../../../data/tone/view.ts'
import type { LightTone } from '../../../models/lightTone/lightTone.ts'
import { toTorch } from '../../../torch/backend.ts'

/** Restores [1 3 h w] as the runtime does. */
export function restoreTone(model: LightTone, photo: Tensor, parts: ToneParts): Tensor {
  const image = tensorToImage(photo.read())
  const view = viewOf(image, viewPx)
  const inputs = Object.entries(toneInputs(view)).map(([name, data]) => [name, toTorch(hostTensor(data))])
  const { view: seen, priors, priorLight } = Object.fromEntries(inputs) as Record<string, Tensor>
  const found = model.forward({ view: seen!, priors: priors!, priorLight: priorLight! })
  const outputs = Object.entries(found).map(([name, tensor]: [string, Tensor]) => [name, tensor.read()])
  const plan = planTone(view, toneMapsOf(Object.fromEntries(outputs)), { parts, strength: 1, floor: 0.22 })
  const place = { top: 0, left: 0, height: image.height, width: image.width }
  return toTorch(hostTensor(imageToTensor(applyTone(plan, image, place))))
}
