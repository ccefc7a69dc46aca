// limpid models: the cards.

import { findCard } from '../registry/builders.ts'
import { cards, licenses } from '../registry/cards.ts'
import { type GlobalOptions, printResult } from './shell.ts'

export function listModels(options: GlobalOptions): void {
  const width = Math.max(...cards.map(({ id }) => id.length))
  const rows = cards.map(
    ({ id, title, reference }) => `${id.padEnd(width)}  ${title}; ${reference.psnr} dB on ${reference.set}`,
  )
  printResult(options, { models: cards }, rows.join('\n'))
}

export function showModel(id: string, options: GlobalOptions): void {
  const card = findCard(id)
  const { title, note } = licenses[card.license]
  const { set, protocol, psnr } = card.reference
  const rows = [
    `${card.id}: ${card.title}`,
    `task      ${card.task}`,
    `weights   ${card.checkpoint} (not in the package: restore --weights FILE)`,
    `published ${psnr} dB on ${set} (${protocol}), ${card.paper}`,
    `licence   ${title}. ${note}`,
  ]
  printResult(options, card, rows.join('\n'))
}
