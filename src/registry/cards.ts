// The model cards of all networks: what each set of weights is, expects and reaches. Pure data, safe in a browser.

import { RestoreError } from '../core/errors.ts'
import { type License, type LicenseId, licenses, type NetworkCard } from '../models/modelCard.ts'
import type { NetworkFacts } from '../models/networkDescriptor.ts'
import { type ModelId, networkFacts } from './networks.ts'

/** A card with the network its weights belong to. */
export interface ModelCard extends NetworkCard {
  readonly model: ModelId
}

export const cards: readonly ModelCard[] = (networkFacts as readonly NetworkFacts<ModelId>[]).flatMap(
  ({ id, cards }) => cards.map((card) => ({ ...card, model: id })),
)

/** The card with this id. @throws RestoreError 'usage' with all ids */
export function findCard(id: string): ModelCard {
  const card = cards.find((candidate) => candidate.id === id)
  if (card) return card
  throw new RestoreError('usage', `model: expected one of ${cards.map((c) => c.id).join(', ')}, got ${id}`)
}

/** License of weights: from their embedded card, as `limpid train` writes it, else that of the network's official weights. */
export function licenseOf(metadata: ReadonlyMap<string, string>, official: LicenseId): License {
  const embedded = embeddedCard(metadata).license
  if (typeof embedded !== 'string') return licenses[official]
  const known = Object.entries(licenses).find(([id]) => id === embedded)
  return (
    known?.[1] ?? {
      title: embedded,
      isCommercial: true,
      note: `As the card of the weights says: ${embedded}.`,
    }
  )
}

/** The card `limpid train` embeds in a weights file; empty where there is none or it cannot be read. */
export function embeddedCard(metadata: ReadonlyMap<string, string>): Readonly<Record<string, unknown>> {
  return parseRecord(metadata.get('card'))
}

/** A JSON object; empty for any other text. */
export function parseRecord(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** Whether weights are Limpid's own, which the package keeps by their id. */
export function isOwn({ id, checkpoint }: Pick<ModelCard, 'id' | 'checkpoint'>): boolean {
  return checkpoint === `${id}.safetensors`
}

/** The reference result of a card in words; empty where it has none. */
export function figureOf({ reference }: Pick<ModelCard, 'reference'>): string {
  if (reference?.psnr !== undefined) return `${reference.psnr.toFixed(2)} dB`
  return reference?.accuracy === undefined ? '' : `${(100 * reference.accuracy).toFixed(1)} % right`
}
