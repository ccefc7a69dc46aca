// The networks of learned metrics, from weights that the user has: which files they are is told by their keys.

import { type Checkpoint, loadTensor, type StoredTensor } from '../checkpoints/checkpoint.ts'
import { toFloat32 } from '../checkpoints/convert.ts'
import { RestoreError } from '../core/errors.ts'
import type { Tensor } from '../core/tensor.ts'
import { Inception } from '../models/metricNetworks/inception.ts'
import { Lpips, lpipsBackbone } from '../models/metricNetworks/lpips.ts'
import { emptyInit } from '../nn/init.ts'
import type { KeyShapes } from '../nn/keyShapes.ts'
import { loadWeights } from '../nn/module.ts'

type Tensors = Readonly<Record<string, Tensor>>

export interface MetricNetwork {
  readonly network: object
  forward(inputs: Tensors): Tensors
}

/** `lpips` and `lpips-vgg`: reference, output [1 3 h w] -> distance; `fid`: image [1 3 299 299] -> features [1 2048]. All in [-1, 1]. */
export interface MetricNetworks {
  lpips?: MetricNetwork
  'lpips-vgg'?: MetricNetwork
  fid?: MetricNetwork
}

type Stored = ReadonlyMap<string, StoredTensor>

/** The networks that some weights files make up: a backbone and its LPIPS heads may be two files or one. */
export function metricNetworks(checkpoints: readonly Checkpoint[]): MetricNetworks {
  const found: MetricNetworks = {}
  const all = checkpoints.map(({ tensors }) => tensors)
  const inception = all.find((tensors) => tensors.has('Conv2d_1a_3x3.conv.weight'))
  if (inception) found.fid = fid(inception)
  const heads = all.filter((tensors) => tensors.has('lin0.model.1.weight'))
  for (const backbone of all.filter((tensors) => tensors.has('features.0.weight'))) {
    const name = lpipsBackbone(shapesOf(backbone)) === 'vgg16' ? 'lpips-vgg' : 'lpips'
    const widths = name === 'lpips' ? 192 : 128
    const head = heads.find((tensors) => tensors.get('lin1.model.1.weight')?.shape[1] === widths)
    if (!head) throw missing(`the heads of ${name} (keys lin0.model.1.weight …)`)
    found[name] = lpips(new Map([...backbone, ...head]))
  }
  if (heads.length > 0 && !found.lpips && !found['lpips-vgg']) {
    throw missing('the backbone of LPIPS (keys features.0.weight …: torchvision’s alexnet or vgg16)')
  }
  if (Object.keys(found).length === 0) throw missing('weights of LPIPS or Inception, none of which is there')
  return found
}

function missing(what: string): RestoreError {
  return new RestoreError('checkpoint', `metric weights: expected ${what}; give that file too`)
}

function lpips(tensors: Stored): MetricNetwork {
  const network = new Lpips(emptyInit(), lpipsBackbone(shapesOf(tensors)))
  load(network, tensors, /^(features|lin\d)\./)
  return {
    network,
    forward: ({ reference, output }) => ({ distance: network.forward(reference!, output!) }),
  }
}

function fid(tensors: Stored): MetricNetwork {
  const network = new Inception(emptyInit())
  load(network, tensors, /^(Conv2d_|Mixed_).*(?<!num_batches_tracked)$/)
  return { network, forward: ({ image }) => ({ features: network.forward(image!) }) }
}

/** Classifiers and counters, which these files hold besides, are left out; all else is strict. */
function load(network: object, tensors: Stored, kept: RegExp): void {
  const sources = [...tensors]
    .filter(([key]) => kept.test(key))
    .map(([key, stored]) => {
      return [key, { shape: stored.shape, floats: () => toFloat32(loadTensor(stored)) }] as const
    })
  loadWeights(network, new Map(sources))
}

function shapesOf(tensors: Stored): KeyShapes {
  return new Map([...tensors].map(([key, { shape }]) => [key, shape]))
}
