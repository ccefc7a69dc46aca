// Model cards of all networks: what each set of weights is, expects and achieves. Pure data, safe in a
// browser.

import { RestoreError } from '../core/errors.ts'
import { shownText } from '../core/text.ts'
import { nearestName, unknownName } from '../core/unknownName.ts'
import { type License, type LicenseId, licenses, type NetworkCard } from '../models/modelCard.ts'
import type { NetworkFacts } from '../models/networkDescriptor.ts'
import { type TaskId, tasks } from '../models/tasks.ts'
import { communityModels, communityPapers, fileNameOf } from './communityModels.ts'
import { type ModelId, networkFacts } from './networks.ts'

/** A card with the network its weights belong to. */
export interface ModelCard extends NetworkCard {
  readonly model: ModelId
}

const networkCards: readonly ModelCard[] = (networkFacts as readonly NetworkFacts<ModelId>[]).flatMap(
  ({ id, cards }) => cards.map((card) => ({ ...card, model: id })),
)

/** Cards of all networks, in the order of the network table, then those of the community's models. */
export const cards: readonly ModelCard[] = [
  ...networkCards,
  ...communityModels.map(({ address, sizeBytes: _, sha256: __, ...card }) => ({
    ...card,
    checkpoint: fileNameOf(address),
    paper: communityPapers[card.model] ?? '',
  })),
]

/** Finds a card by its id. @throws RestoreError 'usage' that lists the nearest ids */
export function findCard(id: string): ModelCard {
  const card = cards.find((candidate) => candidate.id === id)
  if (card) return card
  throw unknownName(
    'model',
    id,
    cards.map((one) => one.id),
  )
}

/** The task of this name. @throws RestoreError 'usage' with all tasks */
export function findTask(name: string): TaskId {
  const task = tasks.find(({ id }) => id === name)
  if (task) return task.id
  const ids = tasks.map(({ id }) => id)
  throw new RestoreError(
    'usage',
    `task: expected one of ${ids.join(', ')}, or auto (in restore, by itself), got ${name}${nearestName(name, [...ids, 'auto'])}`,
  )
}

/** Weights whose license is looked up. */
interface LicensedWeights {
  /** Metadata of their file. */
  readonly metadata: ReadonlyMap<string, string>
  /** Card of the published model that the caller named. */
  readonly card?: Pick<ModelCard, 'license'> | undefined
  /** License of the official weights of their network, if it has any. */
  readonly official: LicenseId | undefined
}

/** License of weights: as in their embedded card, else that of the model they were named as, else unknown. */
export function licenseOf({ metadata, card, official }: LicensedWeights): License {
  const embedded = embeddedCard(metadata).license
  if (typeof embedded !== 'string') return card ? licenses[card.license] : unknownLicense(official)
  return statedLicense(embedded)
}

/** License of a graph, by the title that its file states. */
export function graphLicense(title: string | undefined): License {
  return title === undefined ? unknownLicense(undefined) : statedLicense(title)
}

/** A license by its id or title; other texts are shown as they are. */
function statedLicense(stated: string): License {
  const known = Object.entries(licenses).find(([id, { title }]) => id === stated || title === stated)
  return (
    known?.[1] ?? {
      title: shownText(stated),
      isCommercial: /(?<![a-z])NC(?![a-z])|non[- _]?commercial/i.test(stated) ? false : undefined,
      note: `License as stated in the weights' card: ${shownText(stated)}.`,
    }
  )
}

function unknownLicense(official: LicenseId | undefined): License {
  const known = official && `; that of the network's official weights is the ${licenses[official].title}`
  return {
    title: 'unknown',
    isCommercial: undefined,
    note: `License unknown, as the file states none${known ?? ''}.`,
  }
}

/** Reads the card that `limpid train` embeds in a weights file; empty if missing or unreadable. */
export function embeddedCard(metadata: ReadonlyMap<string, string>): Readonly<Record<string, unknown>> {
  return parseRecord(metadata.get('card'))
}

/** Parses a JSON object; empty for any other text. */
export function parseRecord(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** Whether weights are Limpid's own, which the package stores under their id. */
export function isOwn({ id, checkpoint }: Pick<ModelCard, 'id' | 'checkpoint'>): boolean {
  return checkpoint === `${id}.safetensors`
}

/** Version of weights; undefined unless they are the packaged ones of the card. */
export function versionOf(card: ModelCard | undefined, sha256: string | undefined): number | undefined {
  return sha256 !== undefined && card?.sha256 === sha256 ? card.version : undefined
}

/** Formats the reference result of a card; empty if it has none. */
export function figureOf({ reference }: Pick<ModelCard, 'reference'>): string {
  const from = reference?.inputPsnr === undefined ? '' : `${reference.inputPsnr.toFixed(2)} → `
  if (reference?.psnr !== undefined) return `${from}${reference.psnr.toFixed(2)} dB`
  return reference?.accuracy === undefined ? '' : `${(100 * reference.accuracy).toFixed(1)} % correct`
}
