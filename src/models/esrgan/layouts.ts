// The key layouts that files of ESRGAN's network come in: the first release, with numbered layers (also ESRGAN+), BSRGAN's and RealSR's, and
// BasicSR's, which the others are renamed to.

import type { Checkpoint } from '../../checkpoints/checkpoint.ts'
import type { StoredTensors } from '../networkDescriptor.ts'

/** Returns the tensors under BasicSR's keys; those of other networks unchanged. */
export function esrganTensors({ tensors }: Pick<Checkpoint, 'tensors'>): StoredTensors {
  if (['conv1.0', 'conv1x1'].some((conv) => tensors.has(`model.1.sub.0.RDB1.${conv}.weight`)))
    return renamed(tensors, nameOfNumbered(tensors))
  return tensors.has('RRDB_trunk.0.RDB1.conv1.weight') ? renamed(tensors, nameOfTrunk) : tensors
}

function renamed(tensors: StoredTensors, rename: (key: string) => string): StoredTensors {
  return new Map([...tensors].map(([key, tensor]) => [rename(key), tensor]))
}

const names: Readonly<Record<string, string>> = { trunk_conv: 'conv_body', HRconv: 'conv_hr' }

/** RRDB_trunk.0.RDB1.conv1.weight -> body.0.rdb1.conv1.weight */
function nameOfTrunk(key: string): string {
  return key
    .replace(/^RRDB_trunk\.(\d+)\.RDB/, 'body.$1.rdb')
    .replace(/^upconv(\d)\./, 'conv_up$1.')
    .replace(/^(trunk_conv|HRconv)\./, (_, name: string) => `${names[name]}.`)
}

/**
 * model.1.sub.0.RDB1.conv1.0.weight -> body.0.rdb1.conv1.weight. Behind the blocks, layers 3, 6, … enlarge; two
 * convolutions follow, with an activation between them.
 */
function nameOfNumbered(tensors: StoredTensors): (key: string) => string {
  const layers = [...tensors.keys()].map((key) => Number(/^model\.(\d+)\.weight$/.exec(key)?.[1] ?? 0))
  const last = Math.max(...layers)
  return (key) => {
    const block = /^model\.1\.sub\.(\d+)\.RDB(\d)\.(conv\d(?:x1)?)(?:\.0)?\.(weight|bias)$/.exec(key)
    if (block) return `body.${block[1]}.rdb${block[2]}.${block[3]}.${block[4]}`
    const body = /^model\.1\.sub\.\d+\.(weight|bias)$/.exec(key)
    if (body) return `conv_body.${body[1]}`
    const [, number, part] = /^model\.(\d+)\.(weight|bias)$/.exec(key) ?? []
    if (number === undefined) return key
    const layer = Number(number)
    if (layer === 0) return `conv_first.${part}`
    if (layer === last) return `conv_last.${part}`
    return layer === last - 2 ? `conv_hr.${part}` : `conv_up${layer / 3}.${part}`
  }
}
