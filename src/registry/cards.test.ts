import { expect, test } from 'vitest'
import { emptyInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { cards, licenseOf, licenses } from './cards.ts'
import { builders } from './networks.ts'

test('every card has an id of its own', () => {
  expect(new Set(cards.map(({ id }) => id)).size).toBe(cards.length)
  expect(cards.filter(({ model }) => model === 'restormer')).toHaveLength(13)
})

test.each(cards)('$id: the shapes of its network tell its options again', ({ model, options }) => {
  const builder = builders[model]
  const wanted = { ...builder.defaults, ...options }
  const shapes = new Map(
    [...stateDict(builder.create(emptyInit(), wanted))].map(([key, { shape }]) => [key, shape as number[]]),
  )
  expect(builder.optionsFromWeights(shapes)).toEqual(wanted)
})

test.each([
  [undefined, licenses.academic],
  ['not JSON', licenses.academic],
  ['null', licenses.academic],
  ['{"license":"apache"}', licenses.apache],
  [
    '{"license":"mine"}',
    { isCommercial: true, title: 'mine', note: 'As the card of the weights says: mine.' },
  ],
])('weights with the card %s have the license that it tells, else that of the network', (card, expected) => {
  const metadata = new Map(card === undefined ? [] : [['card', card]])
  expect(licenseOf(metadata, 'academic')).toEqual(expected)
})
