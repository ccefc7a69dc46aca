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

test.each(cards.filter(({ options }) => options !== undefined))(
  '$id: key shapes imply the options',
  ({ model, options }) => {
    const network = networkOf(model)
    const expected = network.fromOptions(options)
    const state = stateDict(expected.create(emptyInit()).network)
    const shapes = new Map([...state].map(([key, { shape }]) => [key, shape.map(Number)]))
    expect(network.fromWeights(shapes).options).toEqual(expected.options)
  },
)

test.each([
  [undefined, { title: 'unknown', isCommercial: undefined, note: expect.stringContaining('states none') }],
  ['not JSON', { title: 'unknown' }],
  ['null', { title: 'unknown' }],
  ['{"license":3}', { title: 'unknown' }],
  ['{"license":"apache"}', licenses.apache],
  [
    '{"license":"mine"}',
    { isCommercial: undefined, title: 'mine', note: "License as stated in the weights' card: mine." },
  ],
  ['{"license":"CC-BY-NC-4.0"}', { isCommercial: false, title: 'CC-BY-NC-4.0' }],
  ['{"license":"PolyForm Noncommercial"}', { isCommercial: false }],
  ['{"license":"Non Commercial"}', { isCommercial: false }],
  ['{"license":"cc_by_nc_sa_4"}', { isCommercial: false }],
  ['{"license":"Wincomm-once 1.0"}', { isCommercial: undefined }],
  ['{"license":"\\u001b[2Jmine"}', { title: '\\x1b[2Jmine' }],
])('the license of weights with the card %s is that of the card, else unknown', (card, expected) => {
  const metadata = new Map(card === undefined ? [] : [['card', card]])
  expect(licenseOf({ metadata, official: 'academic' })).toMatchObject(expected)
})

test('the license of weights that were named as a published model is that of the model', () => {
  const named = { metadata: new Map(), card: { license: 'mit' }, official: 'academic' } as const
  expect(licenseOf(named)).toEqual(licenses.mit)
})
