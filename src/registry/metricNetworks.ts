// Networks of learned metrics, built from the user's weights files, which are recognized by their keys.

import type { Checkpoint, StoredTensor } from '../checkpoints/checkpoint.ts'
import { RestoreError } from '../core/errors.ts'
import type { Tensor } from '../core/tensor.ts'
import { Inception } from '../models/metricNetworks/inception.ts'
import { Lpips, lpipsBackbone } from '../models/metricNetworks/lpips.ts'
import { emptyInit } from '../nn/init.ts'
import { loadWeights } from '../nn/module.ts'
import { shapesOf, weightSource } from './storedWeights.ts'

type Tensors = Readonly<Record<string, Tensor>>

/** Network of a learned metric, with its weights. */
export interface MetricNetwork {
  readonly network: object
  forward(inputs: Tensors): Tensors
}

/** Metric networks by the name of their metric; images are in [-1, 1]. */
export interface MetricNetworks {
  /** LPIPS on AlexNet: reference and output [1 3 h w] -> distance. */
  lpips?: MetricNetwork
  /** LPIPS on VGG-16: reference and output [1 3 h w] -> distance. */
  'lpips-vgg'?: MetricNetwork
  /** Inception for FID: image [1 3 299 299] -> features [1 2048]. */
  fid?: MetricNetwork
}

type Stored = ReadonlyMap<string, StoredTensor>

/**
 * Builds the metric networks found in weights files; an LPIPS backbone and its heads may be in two files or
 * one.
 * @throws RestoreError 'checkpoint' where weights are missing
 */
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
  if (Object.keys(found).length === 0) throw missing('weights of LPIPS or Inception')
  return found
}

function missing(what: string): RestoreError {
  return new RestoreError('checkpoint', `metric weights: expected ${what}, got none; pass that file too`)
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

/** Loads the `kept` keys, strictly; the rest are classifiers and counters that these files also hold. */
function load(network: object, tensors: Stored, kept: RegExp): void {
  const sources = [...tensors]
    .filter(([key]) => kept.test(key))
    .map(([key, stored]) => [key, weightSource(stored)] as const)
  loadWeights(network, new Map(sources))
}
