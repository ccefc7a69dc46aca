import { expect, test } from 'vitest'
import { licenses } from '../models/modelCard.ts'
import { emptyInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { cards, licenseOf } from './cards.ts'
import { networkOf } from './networks.ts'

test('card ids are unique', () => {
  expect(new Set(cards.map(({ id }) => id)).size).toBe(cards.length)
  expect(cards.filter(({ model }) => model === 'restormer')).toHaveLength(13)
})

test.each(cards)('$id: key shapes imply the options', ({ model, options }) => {
  const network = networkOf(model)
  const expected = network.fromOptions(options)
  const state = stateDict(expected.create(emptyInit()).network)
  const shapes = new Map([...state].map(([key, { shape }]) => [key, shape.map(Number)]))
  expect(network.fromWeights(shapes).options).toEqual(expected.options)
})

test.each([
  [undefined, licenses.academic],
  ['not JSON', licenses.academic],
  ['null', licenses.academic],
  ['{"license":"apache"}', licenses.apache],
  [
    '{"license":"mine"}',
    { isCommercial: undefined, title: 'mine', note: "As stated in the weights' card: mine." },
  ],
])('the license of weights with the card %s comes from the card, else from the network', (card, expected) => {
  const metadata = new Map(card === undefined ? [] : [['card', card]])
  expect(licenseOf(metadata, 'academic')).toEqual(expected)
})
