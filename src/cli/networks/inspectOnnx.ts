// limpid inspect for ONNX files: what the file states, and what a few small runs of it show.

import { fileSource } from '../../checkpoints/files.ts'
import { type OnnxFile, readOnnx } from '../../checkpoints/onnx.ts'
import { RestoreError } from '../../core/errors.ts'
import { listNames } from '../../core/text.ts'
import { onlySize } from '../../models/networkDescriptor.ts'
import { graphLicense } from '../../registry/cards.ts'
import { rejectForGraph } from '../../runtime/checkRequest.ts'
import { describePort } from '../../runtime/graphs/findImageGraph.ts'
import type { ImageGraph, ImagePort } from '../../runtime/graphs/imageGraph.ts'
import { ProcessSession } from '../../runtime/session/computeProcess.ts'
import type { InspectOptions } from '../commands/networks.ts'
import { printResult } from '../io/shell.ts'
import { tableOf } from '../io/table.ts'

export async function inspectOnnx(path: string, options: InspectOptions): Promise<void> {
  rejectForGraph(path, { tensors: options.tensors })
  const { name: file, external, metadata, ...facts } = readOnnx(fileSource(path))
  const found = await pictureGraph(path)
  const externalFiles = [...new Set(external.map(({ location }) => location))]
  const document = {
    ...{ file, container: 'onnx', externalFiles, metadata: Object.fromEntries(metadata) },
    ...{ ...facts, ...found },
  }
  const ports = (list: OnnxFile['inputs']) => list.map(describePort).join(', ') || 'none'
  const rows: readonly (readonly [string, string])[] = [
    ['file', `${file} (onnx, opset ${facts.opset}${facts.producer === '' ? '' : `, by ${facts.producer}`})`],
    ['inputs', ports(facts.inputs)],
    ['outputs', ports(facts.outputs)],
    ...('graph' in found ? graphRows(found.graph) : [['network', found.unknown] as const]),
    ['weights', `${facts.parameters.toLocaleString('en')} values`],
    ...(externalFiles.length > 0 ? [['weights in', listNames(externalFiles)] as const] : []),
    ['license', graphLicense(metadata.get('license')).note],
    ...[...metadata].filter(([key]) => key !== 'license'),
  ]
  printResult(options, document, tableOf(rows))
}

/** Opens the graph as restoring does, in a process of its own. */
async function pictureGraph(
  weights: string,
): Promise<{ readonly graph: ImageGraph } | { readonly unknown: string }> {
  const setup = {
    weights,
    options: {},
    threads: 1,
    backend: 'onnx',
    device: 'cpu',
    deviceIndex: 0,
    dtype: 'float32',
  } as const
  try {
    const session = await ProcessSession.open(setup)
    await session.close()
    const { graph } = session.opened
    return graph ? { graph } : { unknown: 'another file since it was read' }
  } catch (error) {
    if (error instanceof RestoreError) return { unknown: error.message }
    throw error
  }
}

function graphRows({
  input,
  output,
  size,
  scale,
  batch,
}: ImageGraph): readonly (readonly [string, string])[] {
  const only = onlySize(size)
  const sides = only
    ? `${only.join(' × ')} pixels alone, so larger pictures are tiled`
    : `multiples of ${size.multipleOf}, at least ${size.minimum}`
  return [
    ['takes', portText(input)],
    ['gives', portText(output)],
    ['sides', sides],
    ['scale', String(scale)],
    ...(batch === undefined ? [] : [['batch', String(batch)] as const]),
  ]
}

function portText({ layout, dtype, channels, peak }: ImagePort): string {
  const colors = { 1: 'gray', 3: 'RGB', 4: 'RGB and opacity' }[channels] ?? ''
  return `${colors} as ${dtype}, 0..${peak}, ${layout}`
}
