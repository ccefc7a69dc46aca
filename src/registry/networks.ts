// The networks Limpid knows. To add one, add a folder to src/models and list its facts and descriptor here.
//
// Facts are listed separately, so that a bundle that only recognizes files or shows cards contains no
// network.

import { clipFacts } from '../models/clip/cards.ts'
import { clip } from '../models/clip/clip.ts'
import { conditionalNafnetFacts } from '../models/conditionalNafnet/cards.ts'
import { conditionalNafnet } from '../models/conditionalNafnet/conditionalNafnet.ts'
import { conditionalUnetFacts } from '../models/conditionalUnet/cards.ts'
import { conditionalUnet } from '../models/conditionalUnet/conditionalUnet.ts'
import { daClipFacts } from '../models/daclip/cards.ts'
import { daClip } from '../models/daclip/daclip.ts'
import { dasrFacts } from '../models/dasr/cards.ts'
import { dasr } from '../models/dasr/dasr.ts'
import { iptFacts } from '../models/ipt/cards.ts'
import { ipt } from '../models/ipt/ipt.ts'
import { latentUnetFacts } from '../models/latentUnet/cards.ts'
import { latentUnet } from '../models/latentUnet/latentUnet.ts'
import { lightFacts } from '../models/light/cards.ts'
import { light } from '../models/light/light.ts'
import { lightDiffusionFacts } from '../models/lightDiffusion/cards.ts'
import { lightDiffusion } from '../models/lightDiffusion/lightDiffusion.ts'
import { lightToneFacts } from '../models/lightTone/cards.ts'
import { lightTone } from '../models/lightTone/lightTone.ts'
import { lightUpscaleFacts } from '../models/lightUpscale/cards.ts'
import { lightUpscale } from '../models/lightUpscale/lightUpscale.ts'
import type { NetworkDescriptor, NetworkFacts } from '../models/networkDescriptor.ts'
import { restormerFacts } from '../models/restormer/cards.ts'
import { restormer } from '../models/restormer/restormer.ts'

/** Facts of every network, in the order in which signatures are tried: the first that matches wins. */
export const networkFacts = [
  restormerFacts,
  iptFacts,
  dasrFacts,
  lightFacts,
  lightDiffusionFacts,
  lightUpscaleFacts,
  lightToneFacts,
  conditionalUnetFacts,
  conditionalNafnetFacts,
  daClipFacts,
  clipFacts,
  latentUnetFacts,
] as const satisfies readonly NetworkFacts[]

export type ModelId = (typeof networkFacts)[number]['id']

/** Descriptors of every network, in the order of the facts. */
export const networks = [
  restormer,
  ipt,
  dasr,
  light,
  lightDiffusion,
  lightUpscale,
  lightTone,
  conditionalUnet,
  conditionalNafnet,
  daClip,
  clip,
  latentUnet,
] as const satisfies readonly NetworkDescriptor<ModelId>[]

type DescribedId = (typeof networks)[number]['id']

/** Finds the descriptor of a network; compilation fails if one is missing, naming the network. */
export function networkOf(
  id: [ModelId] extends [DescribedId] ? ModelId : Exclude<ModelId, DescribedId>,
): NetworkDescriptor<ModelId> {
  const found = networks.find((network) => network.id === id)
  if (found) return found
  throw new TypeError(`expected a network in the table, got ${id}`)
}
