// Lays out a picture for a network that finds maps of its tone: a small view of the whole is read in bands,
// the network runs once, and the maps are applied band by band. A pixel depends on its own color and place
// alone, so bands neither overlap nor leave a seam, and tile options change nothing.

import { RestoreError } from '../../core/errors.ts'
import { inBands } from '../../core/rowBands.ts'
import type { Image } from '../../data/image.ts'
import { type Grain, GrainMeter, transmissionFloor } from '../../data/tone/grain.ts'
import { liftedMaps } from '../../data/tone/lift.ts'
import { applyTone, neutralMaps, planTone, type TonePlan } from '../../data/tone/toneMaps.ts'
import { toneInputs, toneMapsOf } from '../../data/tone/toneTensors.ts'
import { ViewBuilder } from '../../data/tone/view.ts'
import type { ToneRole } from '../../models/networkDescriptor.ts'
import { checkAborted } from '../jobs/serialQueue.ts'
import type { ReadablePicture } from '../pictures/planeIO.ts'
import type { LayoutRequest, RestorationLayout } from './tileLayout.ts'

/** Refuses options that make no sense for maps of a whole photo. @throws RestoreError 'usage' */
export function checkToneOptions(options: {
  readonly selfEnsemble?: boolean | undefined
  readonly opacity?: 'keep' | 'restore' | undefined
}): void {
  if (options.selfEnsemble)
    throw new RestoreError(
      'usage',
      'selfEnsemble: expected false, as the tone network knows photos upright only, got true; leave it out',
    )
  if (options.opacity === 'restore')
    throw new RestoreError('usage', 'opacity: expected keep, as opacity has no tone, got restore')
}

/** Lays out a picture in bands of rows. */
export function layOutTone(request: LayoutRequest, role: ToneRole): RestorationLayout {
  const { picture, strength, run, onTile, onPart } = request
  return {
    padded: picture,
    channels: 3,
    tilePx: undefined,
    nextSmallerTilePx: undefined,
    restore: async ({ read, emit }) => {
      const plan = strength === 0 ? undefined : await findTone(request, role, { ...picture, read })
      await inBands(picture, (top, rows) => {
        checkAborted(run.signal)
        const band = read(top, 0, rows, picture.width)
        const image = plan ? applyTone(plan, band, { ...picture, top, left: 0 }) : band
        emit(top, image)
        onPart?.({ left: 0, top, image })
      })
      onTile(1, 1)
      return { tiles: 1 }
    },
  }
}

/** Looks at the whole photo once. */
async function findTone(
  { loaded, strength, run }: LayoutRequest,
  { viewPx, parts }: ToneRole,
  picture: ReadablePicture,
): Promise<TonePlan> {
  const { view, grain } = await lookAt(picture, viewPx)
  const found = toneMapsOf(await loaded.session.run(toneInputs(view), run))
  const maps = isGray(view) ? neutralMaps(found) : found
  const floor = transmissionFloor(grain)
  const { levelStep } = grain
  const lifted = liftedMaps(view, maps, { parts, strength: 1, floor })
  // Without the network's gain, the gain is what the lift adds.
  const applied = { ...parts, gain: parts.gain || lifted !== maps }
  return planTone(view, lifted, { parts: applied, strength, floor, levelStep })
}

async function lookAt(picture: ReadablePicture, viewPx: number): Promise<{ view: Image; grain: Grain }> {
  const view = new ViewBuilder(picture, viewPx)
  const grain = new GrainMeter()
  await inBands(picture, (top, rows) => {
    const band = picture.read(top, 0, rows, picture.width)
    view.add(top, band)
    grain.add(top, band)
  })
  return { view: view.finish(), grain: grain.finish() }
}

/** Whether a view has no color to speak of: such photos stay gray. */
function isGray({ data }: Image): boolean {
  const pixels = data.length / 3
  for (let i = 0; i < pixels; i++) {
    const [r, g, b] = [data[i]!, data[pixels + i]!, data[2 * pixels + i]!]
    if (Math.max(r, g, b) - Math.min(r, g, b) > 1 / 256) return false
  }
  return true
}
