// What eval measures on: pairs of folders, or truths that are degraded here, as columns of samples. One image
// is open at a time.

import { basename } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { withChannels } from '../../data/color.ts'
import { crop, type Image } from '../../data/image.ts'
import type { ImageSource } from '../../data/sources/datasets.ts'
import { findPairs, type Match, pairSources } from '../../data/sources/pairs.ts'
import { parseChain } from '../../degrade/chain.ts'
import { randomFor } from '../../degrade/namedRandom.ts'
import type { Sample, Unreadable } from '../../metrics/evaluate.ts'
import { cutToMultiple, degradedSamples, type Protocol } from '../../metrics/protocols.ts'
import { decodeFrom, openImages } from './metricSession.ts'

/** One column of a table. */
export interface Column {
  readonly name: string
  readonly count: number
  samples(): AsyncIterable<Sample | Unreadable>
}

export interface TestSetRequest {
  readonly data: string
  readonly truth: string | undefined
  readonly match: string | undefined
  readonly degrade: string | undefined
  readonly seed: number
  readonly protocol: Protocol | undefined
  /** Side of the network's output over that of its input; 1 where there is no network. */
  readonly scale: number
  /** Whether any metric compares with a truth. */
  readonly needsReference: boolean
  readonly limits: { readonly pixelLimit?: number }
}

/** The columns that a request asks for. */
export async function openColumns(request: TestSetRequest): Promise<readonly Column[]> {
  const { data, truth, degrade, protocol } = request
  refuseMixtures(request)
  if (degrade !== undefined) return [await degradedColumn(await openImages(data), degrade, request)]
  if (protocol && Object.keys(protocol.inputs).length > 0) {
    return protocolColumns(await openImages(data), protocol, request)
  }
  if (truth !== undefined) return [await pairColumn('pairs', data, truth, request)]
  if (!request.needsReference) return [inputColumn(await openImages(data), request)]
  const found = await findPairs(data).catch((error: unknown) => {
    if (!(error instanceof RestoreError)) throw error
    const ways =
      '--truth DIR with the clean images, --degrade SPEC to damage those of --data, or a --protocol'
    throw new RestoreError('usage', `eval: expected ${ways}; without them, ${error.message}`, {
      cause: error,
    })
  })
  return Promise.all(
    found.map(({ label, input, target }) => pairColumn(label || basename(data), input, target, request)),
  )
}

function refuseMixtures({ truth, degrade, protocol }: TestSetRequest): void {
  const makesInputs = protocol !== undefined && Object.keys(protocol.inputs).length > 0
  if (degrade !== undefined && protocol !== undefined) {
    throw new RestoreError(
      'usage',
      'eval: expected --degrade or --protocol, got both; a protocol has its own',
    )
  }
  if (truth === undefined || !(degrade !== undefined || makesInputs)) return
  throw new RestoreError(
    'usage',
    'eval: expected the clean images as --data, which are degraded here, got --truth too; leave it out',
  )
}

/** Images of a source as a protocol decodes them. */
async function openAs(
  source: ImageSource,
  index: number,
  { protocol, limits }: TestSetRequest,
): Promise<Image> {
  const image = await decodeFrom(source, index, limits)
  return protocol ? withChannels(image, protocol.channels) : image
}

async function* truthsOf(
  source: ImageSource,
  request: TestSetRequest,
): AsyncGenerator<{ readonly name: string; readonly image: Image } | Unreadable> {
  for (let i = 0; i < source.length; i++) {
    const name = source.name(i)
    try {
      yield { name, image: await openAs(source, i, request) }
    } catch (error) {
      yield { name, error }
    }
  }
}

function protocolColumns(
  source: ImageSource,
  { inputs, scale }: Protocol,
  request: TestSetRequest,
): readonly Column[] {
  return Object.entries(inputs).map(([name, degrade]) => ({
    name,
    count: source.length,
    samples: () => degradedSamples(truthsOf(source, request), degrade, scale),
  }))
}

async function degradedColumn(source: ImageSource, spec: string, request: TestSetRequest): Promise<Column> {
  const degrade = parseChain(spec)
  async function* samples(): AsyncGenerator<Sample | Unreadable> {
    for await (const truth of truthsOf(source, request)) {
      if ('error' in truth) yield truth
      else {
        const reference = cutToMultiple(truth.image, request.scale)
        yield { name: truth.name, input: degrade(reference, randomFor(request.seed, truth.name)), reference }
      }
    }
  }
  return { name: spec, count: source.length, samples }
}

async function pairColumn(
  name: string,
  data: string,
  truth: string,
  request: TestSetRequest,
): Promise<Column> {
  const [truths, inputs] = pairSources(
    await openImages(truth),
    [await openImages(data)],
    request.match === undefined ? {} : { match: request.match as Match },
  ) as [ImageSource, ImageSource]
  async function* samples(): AsyncGenerator<Sample | Unreadable> {
    for (let i = 0; i < truths.length; i++) {
      const name = inputs.name(i)
      try {
        const input = await openAs(inputs, i, request)
        const reference = fitTruth(await openAs(truths, i, request), input, request.scale)
        yield { name, input, reference }
      } catch (error) {
        yield { name, error }
      }
    }
  }
  return { name, count: truths.length, samples }
}

function inputColumn(source: ImageSource, request: TestSetRequest): Column {
  async function* samples(): AsyncGenerator<Sample | Unreadable> {
    for await (const read of truthsOf(source, request)) {
      yield 'error' in read ? read : { name: read.name, input: read.image }
    }
  }
  return { name: 'images', count: source.length, samples }
}

/** Sets for enlarging leave the truth whole where its sides are no multiples of the scale. */
function fitTruth(truth: Image, input: Image, scale: number): Image {
  const height = input.height * scale
  const width = input.width * scale
  const down = truth.height - height
  const across = truth.width - width
  const isLeftOver = down >= 0 && across >= 0 && down < scale && across < scale && down + across > 0
  return isLeftOver ? crop(truth, 0, 0, height, width) : truth
}
