// Model cards of all networks: what each set of weights is, expects and achieves. Pure data, safe in a
// browser.

import { RestoreError } from '../core/errors.ts'
import { type License, type LicenseId, licenses, type NetworkCard } from '../models/modelCard.ts'
import type { NetworkFacts } from '../models/networkDescriptor.ts'
import { allTasks, defaultModels, type TaskId } from '../models/tasks.ts'
import { type ModelId, networkFacts } from './networks.ts'

/** A card with the network its weights belong to. */
export interface ModelCard extends NetworkCard {
  readonly model: ModelId
}

/** Cards of all networks, in the order of the network table. */
export const cards: readonly ModelCard[] = (networkFacts as readonly NetworkFacts<ModelId>[]).flatMap(
  ({ id, cards }) => cards.map((card) => ({ ...card, model: id })),
)

/** Finds a card by its id. @throws RestoreError 'usage' that lists all ids */
export function findCard(id: string): ModelCard {
  const card = cards.find((candidate) => candidate.id === id)
  if (card) return card
  throw new RestoreError('usage', `model: expected one of ${cards.map((c) => c.id).join(', ')}, got ${id}`)
}

/** Tasks that a model does. */
export const tasks = allTasks.filter(({ id }) =>
  defaultModels[id].some((model) => cards.some((card) => card.id === model)),
)

/** The task of this name. @throws RestoreError 'usage' with all tasks */
export function findTask(name: string): TaskId {
  const task = tasks.find(({ id }) => id === name)
  if (task) return task.id
  throw new RestoreError(
    'usage',
    `task: expected one of ${tasks.map(({ id }) => id).join(', ')}, got ${name}`,
  )
}

/** License of weights: as in their embedded card, else that of the network's official weights. */
export function licenseOf(metadata: ReadonlyMap<string, string>, official: LicenseId): License {
  const embedded = embeddedCard(metadata).license
  if (typeof embedded !== 'string') return licenses[official]
  const known = Object.entries(licenses).find(([id]) => id === embedded)
  return (
    known?.[1] ?? {
      title: embedded,
      isCommercial: undefined,
      note: `As stated in the weights' card: ${embedded}.`,
    }
  )
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

/** Formats the reference result of a card; empty if it has none. */
export function figureOf({ reference }: Pick<ModelCard, 'reference'>): string {
  if (reference?.psnr !== undefined) return `${reference.psnr.toFixed(2)} dB`
  return reference?.accuracy === undefined ? '' : `${(100 * reference.accuracy).toFixed(1)} % correct`
}
