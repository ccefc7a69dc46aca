// Looks at a photo with light-inspect: crops in native resolution, an overview, and what was estimated. Shared by Node and browsers.

import type { Estimates } from '../auto/estimates/estimate.ts'
import { estimateVector } from '../auto/estimates/estimateVector.ts'
import type { Verdict } from '../auto/plan/findings.ts'
import { cropAt, cropCorners, inspectPx, overview } from '../auto/views.ts'
import { float32Data, type TensorData, viewAs } from '../core/data.ts'
import { RestoreError } from '../core/errors.ts'
import type { Session } from '../core/session.ts'
import { withChannels } from '../data/color.ts'
import type { Image } from '../data/image.ts'
import type { PartedImage } from '../data/parts.ts'

/** Runs an open light-inspect on a photo [1|3 h w] and its estimates. */
export async function inspectPhoto(
  session: Pick<Session, 'run'>,
  photo: Image | PartedImage,
  estimates: Estimates,
  signal?: AbortSignal,
): Promise<Verdict> {
  const crops = cropCorners(photo, inspectPx).map((corner) => withChannels(cropAt(photo, corner), 3))
  const values = estimateVector(estimates)
  const { presence, severity, form } = await session.run(
    {
      view: stacked([overview(photo)]),
      crops: stacked(crops),
      estimates: float32Data(values, [1, values.length]),
    },
    { signal },
  )
  return { presence: floats(presence), severity: floats(severity), form: floats(form) }
}

/** Images as a batch [n 3 s s]. */
function stacked(images: readonly Image[]): TensorData {
  const size = images[0]!.data.length
  const values = new Float32Array(images.length * size)
  for (const [i, { data }] of images.entries()) values.set(data, i * size)
  return float32Data(values, [images.length, 3, inspectPx, inspectPx])
}

/** @throws RestoreError 'numeric' for values that are not finite */
function floats(tensor: TensorData | undefined): Float32Array {
  const values = viewAs(tensor!.bytes, Float32Array)
  if (values.every(Number.isFinite)) return values
  throw new RestoreError(
    'numeric',
    'inspect: expected finite values, got NaN or infinity; the weights may be damaged',
  )
}
