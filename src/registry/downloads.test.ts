import { expect, test } from 'vitest'
import { licenses } from '../models/modelCard.ts'
import { cards, findCard, isOwn } from './cards.ts'
import { communityModels } from './communityModels.ts'
import {
  downloads,
  findDownload,
  formatBytes,
  gains,
  mayBeDefault,
  pageOf,
  sizeOf,
  termsOf,
} from './downloads.ts'
import { networkOf } from './networks.ts'

const files = downloads.flatMap((one) => one.files)

test('names are unique, and every published model has one', () => {
  expect(new Set(downloads.map(({ id }) => id)).size).toBe(downloads.length)
  expect(downloads.flatMap(({ card }) => card?.id ?? [])).toEqual(
    cards.filter((card) => !isOwn(card)).map(({ id }) => id),
  )
  expect(communityModels.length).toBeGreaterThanOrEqual(40)
})

test('different files have different names, which are safe', () => {
  const addresses = new Map<string, Set<string | undefined>>()
  for (const { name, address } of files) addresses.set(name, (addresses.get(name) ?? new Set()).add(address))
  for (const [name, all] of addresses) {
    expect([...all], name).toHaveLength(1)
    expect(name).toMatch(/^\w[\w.-]+\.(pth|pt|safetensors)$/)
  }
})

test.each(downloads.map((one) => [one.id, one] as const))('%s: its facts are complete', (_, one) => {
  expect(one.author).not.toBe('')
  expect(licenses[one.license]).toBeDefined()
  for (const { address, sizeBytes, sha256 } of one.files) {
    if (address === undefined) expect(pageOf(one)).toMatch(/^https:\/\/github\.com\//)
    else expect(new URL(address)).toMatchObject({ protocol: 'https:', username: '', hash: '' })
    if (sha256 !== undefined) expect(sha256).toMatch(/^([0-9a-f]{8}|[0-9a-f]{64})$/)
    if (sizeBytes !== undefined) expect(sizeBytes).toBeGreaterThan(1000)
  }
})

test('community models are of known networks with a paper, and of their size', () => {
  for (const { id, model, scale, title } of communityModels) {
    expect(networkOf(model), id).toBeDefined()
    expect(findCard(id).paper, id).toMatch(/^arXiv:\d{4}\.\d{5}$/)
    if (scale > 1) expect(title, id).toContain(`×${scale}`)
  }
})

test('a gain is over what the package has, by the same protocol', () => {
  for (const { task, model, packaged } of gains) {
    const card = findCard(model)
    expect(card.task).toBe(task)
    expect(card.reference?.psnr, model).toBeDefined()
    const own = cards.filter((one) => isOwn(one) && one.task === task)
    if (!packaged) expect(own.map(({ reference }) => reference?.set)).not.toContain(card.reference?.set)
    else {
      expect(own.map(({ id }) => id)).toContain(packaged.model)
      expect(card.reference?.psnr).toBeGreaterThan(packaged.psnr)
      expect(findCard(packaged.model).reference?.set).toBe(card.reference?.set)
    }
  }
})

test.each([
  ['drunet-color', true],
  ['restormer-derain', false],
  ['real-esrgan-x4plus', false],
  ['4x-remacri', false],
])('%s may be the default of a task: %s', (id, expected) => {
  expect(mayBeDefault(findCard(id))).toBe(expected)
})

test('terms are the size, where it is known, and the license', () => {
  expect(termsOf(findDownload('real-esrgan-x4plus'))).toBe('67 MB, BSD 3-Clause License')
  expect(termsOf(findDownload('fid'))).toBe('Apache License 2.0')
  expect(sizeOf(findDownload('lpips'))).toBeUndefined()
  expect([6009, 999_999, 4_885_111, 67_040_989].map(formatBytes)).toEqual([
    '7 kB',
    '1000 kB',
    '4.9 MB',
    '67 MB',
  ])
})
