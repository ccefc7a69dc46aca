// The networks Limpid knows. To add one, add a folder to src/models and list its facts and descriptor here.
//
// Facts are listed separately, so that a bundle that only recognizes files or shows cards contains no
// network.

import { atd } from '../models/atd/atd.ts'
import { atdFacts } from '../models/atd/cards.ts'
import { clipFacts } from '../models/clip/cards.ts'
import { clip } from '../models/clip/clip.ts'
import { compactFacts } from '../models/compact/cards.ts'
import { compact } from '../models/compact/compact.ts'
import { conditionalNafnetFacts } from '../models/conditionalNafnet/cards.ts'
import { conditionalNafnet } from '../models/conditionalNafnet/conditionalNafnet.ts'
import { conditionalUnetFacts } from '../models/conditionalUnet/cards.ts'
import { conditionalUnet } from '../models/conditionalUnet/conditionalUnet.ts'
import { daClipFacts } from '../models/daclip/cards.ts'
import { daClip } from '../models/daclip/daclip.ts'
import { dasrFacts } from '../models/dasr/cards.ts'
import { dasr } from '../models/dasr/dasr.ts'
import { datFacts } from '../models/dat/cards.ts'
import { dat } from '../models/dat/dat.ts'
import { dncnnFacts } from '../models/dncnn/cards.ts'
import { dncnn } from '../models/dncnn/dncnn.ts'
import { drctFacts } from '../models/drct/cards.ts'
import { drct } from '../models/drct/drct.ts'
import { drunetFacts } from '../models/drunet/cards.ts'
import { drunet } from '../models/drunet/drunet.ts'
import { esrganFacts } from '../models/esrgan/cards.ts'
import { esrgan } from '../models/esrgan/esrgan.ts'
import { fbcnnFacts } from '../models/fbcnn/cards.ts'
import { fbcnn } from '../models/fbcnn/fbcnn.ts'
import { hatFacts } from '../models/hat/cards.ts'
import { hat } from '../models/hat/hat.ts'
import { iptFacts } from '../models/ipt/cards.ts'
import { ipt } from '../models/ipt/ipt.ts'
import { latentUnetFacts } from '../models/latentUnet/cards.ts'
import { latentUnet } from '../models/latentUnet/latentUnet.ts'
import { lightFacts } from '../models/light/cards.ts'
import { light } from '../models/light/light.ts'
import { lightDiffusionFacts } from '../models/lightDiffusion/cards.ts'
import { lightDiffusion } from '../models/lightDiffusion/lightDiffusion.ts'
import { lightInspectFacts } from '../models/lightInspect/cards.ts'
import { lightInspect } from '../models/lightInspect/lightInspect.ts'
import { lightToneFacts } from '../models/lightTone/cards.ts'
import { lightTone } from '../models/lightTone/lightTone.ts'
import { lightUpscaleFacts } from '../models/lightUpscale/cards.ts'
import { lightUpscale } from '../models/lightUpscale/lightUpscale.ts'
import { mixDehazeNetFacts } from '../models/mixDehazeNet/cards.ts'
import { mixDehazeNet } from '../models/mixDehazeNet/mixDehazeNet.ts'
import { mosrFacts } from '../models/mosr/cards.ts'
import { mosr } from '../models/mosr/mosr.ts'
import { nafnetFacts } from '../models/nafnet/cards.ts'
import { nafnet } from '../models/nafnet/nafnet.ts'
import type { NetworkDescriptor, NetworkFacts } from '../models/networkDescriptor.ts'
import { omnisrFacts } from '../models/omnisr/cards.ts'
import { omnisr } from '../models/omnisr/omnisr.ts'
import { plksrFacts } from '../models/plksr/cards.ts'
import { plksr } from '../models/plksr/plksr.ts'
import { realPlksrFacts } from '../models/realPlksr/cards.ts'
import { realPlksr } from '../models/realPlksr/realPlksr.ts'
import { restormerFacts } from '../models/restormer/cards.ts'
import { restormer } from '../models/restormer/restormer.ts'
import { retinexformerFacts } from '../models/retinexformer/cards.ts'
import { retinexformer } from '../models/retinexformer/retinexformer.ts'
import { rgtFacts } from '../models/rgt/cards.ts'
import { rgt } from '../models/rgt/rgt.ts'
import { safmnFacts } from '../models/safmn/cards.ts'
import { safmn } from '../models/safmn/safmn.ts'
import { scunetFacts } from '../models/scunet/cards.ts'
import { scunet } from '../models/scunet/scunet.ts'
import { spanFacts } from '../models/span/cards.ts'
import { span } from '../models/span/span.ts'
import { srformerFacts } from '../models/srformer/cards.ts'
import { srformer } from '../models/srformer/srformer.ts'
import { swinirFacts } from '../models/swinir/cards.ts'
import { swinir } from '../models/swinir/swinir.ts'

/** Facts of every network, in the order in which signatures are tried: the first that matches wins. */
export const networkFacts = [
  restormerFacts,
  iptFacts,
  dasrFacts,
  lightFacts,
  lightDiffusionFacts,
  lightUpscaleFacts,
  lightToneFacts,
  lightInspectFacts,
  conditionalUnetFacts,
  conditionalNafnetFacts,
  daClipFacts,
  clipFacts,
  latentUnetFacts,
  nafnetFacts,
  drunetFacts,
  fbcnnFacts,
  retinexformerFacts,
  mixDehazeNetFacts,
  esrganFacts,
  mosrFacts,
  realPlksrFacts,
  plksrFacts,
  safmnFacts,
  spanFacts,
  compactFacts,
  drctFacts,
  atdFacts,
  hatFacts,
  srformerFacts,
  swinirFacts,
  scunetFacts,
  datFacts,
  rgtFacts,
  omnisrFacts,
  dncnnFacts,
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
  lightInspect,
  conditionalUnet,
  conditionalNafnet,
  daClip,
  clip,
  latentUnet,
  nafnet,
  drunet,
  fbcnn,
  retinexformer,
  mixDehazeNet,
  esrgan,
  mosr,
  realPlksr,
  plksr,
  safmn,
  span,
  compact,
  drct,
  atd,
  hat,
  srformer,
  swinir,
  scunet,
  dat,
  rgt,
  omnisr,
  dncnn,
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
