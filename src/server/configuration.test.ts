import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readConfiguration } from './configuration.ts'

const folder = mkdtempSync(join(tmpdir(), 'limpid-configuration-'))
const file = join(folder, 'config.json')

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('options come before variables, and variables before the file', () => {
  writeFileSync(file, JSON.stringify({ port: 1, queueLimit: 2, keep: '2h', sources: ['*.example.org'] }))
  const configuration = readConfiguration({
    options: { port: '3', maxBytes: '1.5 MB' },
    environment: {
      LIMPID_OPEN: 'false',
      LIMPID_APP: '0',
      LIMPID_PORT: '4',
      LIMPID_QUEUE_LIMIT: '5',
      LIMPID_PIXEL_LIMIT: '12.5',
    },
    file,
  })
  expect(configuration).toMatchObject({
    ...{ port: 3, queueLimit: 5, keep: 7_200_000, maxBytes: 1_500_000, pixelLimit: 12_500_000 },
    ...{ open: false, app: false },
    ...{ sources: ['*.example.org'], host: '127.0.0.1', quota: 10e9 },
  })
})

test('a mistake is named with where it stands', () => {
  const read = (environment: Record<string, string>) => () =>
    readConfiguration({ options: {}, environment, file: undefined })
  expect(read({ LIMPID_JOBS: 'many' })).toThrow(/^LIMPID_JOBS: .*got "many"/)
  expect(read({ LIMPID_DTYPE: 'bfloat16' })).toThrow(
    /^LIMPID_DTYPE: expected auto or float32, .*got "bfloat16"/,
  )
  // A secret is not repeated.
  expect(read({ LIMPID_WEBHOOK_SECRET: 'hidden' })).toThrow(
    /^LIMPID_WEBHOOK_SECRET: expected whsec_(?!.*hidden)/,
  )
  expect(read({ LIMPID_QUEUE: 'kafka://a:secret@b' })).toThrow(/^LIMPID_QUEUE: expected redis:(?!.*secret)/)
  expect(read({ LIMPID_QUEUE: 'redis://a' })).toThrow('--queue, --store: expected both')
  expect(read({ LIMPID_KEEP: '5 parsecs' })).toThrow('such as 90s, got "5 parsecs"')
  writeFileSync(file, JSON.stringify({ prot: 80 }))
  expect(() => readConfiguration({ options: {}, environment: {}, file })).toThrow(/config\.json: .*prot/)
  writeFileSync(file, '[')
  expect(() => readConfiguration({ options: {}, environment: {}, file })).toThrow('expected a JSON object')
})
