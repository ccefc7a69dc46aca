// limpid representations: how DASR's encoder sees degradations that are known, as a page, and how well width
// and noise can be told from it.

import { viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { counterRandom } from '../../core/random.ts'
import type { Session } from '../../core/session.ts'
import { withChannels } from '../../data/color.ts'
import { decodeBytes } from '../../data/decode.ts'
import { crop, type Image, imageToTensor, pixelsToPlanes } from '../../data/image.ts'
import { openSource, specOf } from '../../data/sources/datasets.ts'
import { isotropicGaussian } from '../../degrade/numerics/kernels.ts'
import { srmdImage } from '../../degrade/srmd.ts'
import { linearProbe, projectRows } from '../../metrics/report/representations.ts'
import { type Dot, representationsHtml } from '../../metrics/report/representationsPage.ts'
import { loadModel } from '../../registry/loadModel.ts'
import { nodeSession } from '../../runtime/session/nodeOnnxSession.ts'
import type { RepresentationsOptions } from '../commands/measure.ts'
import { checkDocument, fileOf, refuseOnStdout } from '../io/outputPlan.ts'
import { formatProgress, printResult, reporter } from '../io/shell.ts'
import { writeResult } from '../io/writeResult.ts'
import { readWeights } from '../networks/readWeights.ts'

/** Widths from the least to the most that the scale's published network is trained for. */
const levels = 8
const kernelPx = 21
/** Side of the degraded crops, twice that of training. */
const cropPx = 96

interface Known {
  readonly image: number
  readonly name: string
  readonly width: number
  readonly noise: number
}

export async function representationsCommand(options: RepresentationsOptions): Promise<void> {
  const output = fileOf(options.output, '--output', 'representations.html')
  refuseOnStdout([output], options)
  checkDocument(output, options.overwrite)
  const { noise: noises, images: most } = options
  const model = loadModel(readWeights(options.weights, options))
  if (model.id !== 'dasr')
    throw new RestoreError('usage', `--weights: expected a DASR, whose encoder is shown, got ${model.id}`)
  const scale = model.scale
  const session = nodeSession(model.part('encode'))
  const progress = reporter(options)
  const known: Known[] = []
  const rows: Float32Array[] = []
  try {
    const started = performance.now()
    const source = await openSource(await specOf(options.data))
    const count = Math.min(source.length, most)
    if (count < 4) {
      throw new RestoreError('input', `--data ${options.data}: expected at least 4 images, got ${count}`)
    }
    for (let image = 0; image < count; image++) {
      const name = source.name(image)
      const { pixels } = await decodeBytes(await source.read(image), { name, colors: 'srgb' })
      const middle = middleOf(pixelsToPlanes(pixels).image, cropPx * scale, name)
      for (const [i, { width, noise }] of degradations(scale, noises).entries()) {
        const kernel = isotropicGaussian(kernelPx, width)
        const settings = { kernel, scale, downsampling: 'bicubic', noise } as const
        rows.push(await encode(session, srmdImage(middle, settings, counterRandom(image).fork(i))))
        known.push({ image, name, width, noise })
      }
      progress.show(formatProgress(image + 1, count, started))
    }
  } finally {
    progress.done()
    await session.close()
  }
  const { points, shares } = projectRows(rows)
  const r2 = {
    width: probe(rows, known, 'width'),
    ...(noises.length > 1 ? { noise: probe(rows, known, 'noise') } : {}),
  }
  const dots = known.map((each, i): Dot => ({ ...each, x: points[i]?.[0] ?? 0, y: points[i]?.[1] ?? 0 }))
  writeResult(output, representationsHtml({ dots, shares, r2 }), options)
  if (output === '-') return
  const text = `${output}\nlinear probe on images it has not seen: ${Object.entries(r2)
    .map(([name, value]) => `R² of ${name} ${value.toFixed(3)}`)
    .join(', ')}`
  printResult(options, { output, dots: rows.length, shares, r2 }, text)
}

function degradations(scale: number, noises: readonly number[]) {
  const widths = Array.from({ length: levels }, (_, i) => 0.2 + ((scale - 0.2) * i) / (levels - 1))
  return noises.flatMap((noise) => widths.map((width) => ({ width, noise })))
}

/** The middle of an image as three channels. */
function middleOf(image: Image, side: number, name: string): Image {
  const { width, height } = image
  if (Math.min(width, height) < side) {
    throw new RestoreError(
      'input',
      `${name}: expected sides of at least ${side} px, got ${width} × ${height}`,
    )
  }
  return crop(withChannels(image, 3), (height - side) >> 1, (width - side) >> 1, side, side)
}

async function encode(session: Session, image: Image): Promise<Float32Array> {
  const { fea } = await session.run({ x: imageToTensor(image) })
  if (!fea) throw new RestoreError('checkpoint', 'DASR: expected a representation from its encoder, got none')
  return viewAs(fea.bytes, Float32Array).slice()
}

/** R² on every second image of what the others teach. */
function probe(rows: readonly Float32Array[], known: readonly Known[], quantity: 'width' | 'noise'): number {
  const part = (rest: number) => {
    const chosen = [...known.keys()].filter((i) => (known[i] as Known).image % 2 === rest)
    return {
      rows: chosen.map((i) => rows[i] as Float32Array),
      values: chosen.map((i) => (known[i] as Known)[quantity]),
    }
  }
  return linearProbe(part(0), part(1)).r2
}
