import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { findAllowed } from './allowedGlobals.ts'
import { ByteCursor } from './byteCursor.ts'
import { memorySource } from './checkpoint.ts'
import { PickleObject, type PickleValue, unpickle } from './unpickle.ts'

const file = fileURLToPath(new URL('../../test/golden/containers/made/pickles.json', import.meta.url))
const { expected, byProtocol }: { expected: unknown; byProtocol: string[] } = JSON.parse(
  readFileSync(file, 'utf8'),
)
const host = { findGlobal: findAllowed, loadPersistent: () => null }

function load(bytes: Uint8Array): PickleValue {
  return unpickle(new ByteCursor(memorySource(bytes)), host)
}

/** Converts dictionaries to objects, and values that JSON cannot represent to text. */
function plain(value: PickleValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]))
  if (Array.isArray(value)) return value.map(plain)
  return typeof value === 'bigint' || value === Number.POSITIVE_INFINITY
    ? `number ${value}`.replace('Infinity', 'inf')
    : value
}

describe('unpickle', () => {
  it.each(byProtocol.map((base64, protocol) => [protocol, base64] as const))(
    'reads plain values of protocol %i',
    (_, base64) => {
      const value = load(Buffer.from(base64, 'base64'))
      expect(plain(value)).toEqual(expected)
      const shared = value instanceof Map ? value.get('shared') : undefined
      expect(Array.isArray(shared) && shared[0] === shared[1]).toBe(true)
    },
  )

  it('keeps allowed objects as names, arguments and attributes', () => {
    const value = load(
      Buffer.from('\x80\x02cargparse\nNamespace\n)\x81}X\x02\0\0\0lrG?\xf0\0\0\0\0\0\0sb.', 'latin1'),
    )
    expect(value).toBeInstanceOf(PickleObject)
    expect(value).toMatchObject({
      className: 'argparse.Namespace',
      args: [],
      attributes: new Map([['lr', 1]]),
    })
  })

  it('reads strings longer than the window', () => {
    const long = 'abc'.repeat(50_000)
    const head = Buffer.from('\x80\x02X\0\0\0\0', 'latin1')
    head.writeUInt32LE(long.length, 3)
    expect(load(Buffer.concat([head, Buffer.from(`${long}.`)]))).toBe(long)
  })

  const repeated = (start: string, count: number, repeat: string) =>
    Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(count * repeat.length, repeat, 'latin1')])
  const tenThousandInts = `cbuiltins\nset\nq\x01]q\x02(${'K\x01'.repeat(10_000)}e`

  it.each([
    ['objects', repeated('', 1_000_001, '}'), /more than 1000000 objects/],
    ['steps', repeated('', 4_000_001, 'N0'), /more than 8000000 steps/],
    ['copies', repeated(tenThousandInts, 1000, 'h\x01h\x02\x85R0'), /more than 8000000 steps/],
    ['memory', repeated('N', 2_000_001, '\x94'), /memo holds more/],
  ])('rejects more %s than any checkpoint needs', (_, bytes, message) => {
    // CPU time: a busy machine makes no difference.
    const start = process.cpuUsage()
    expect(() => load(bytes)).toThrow(message)
    const { user, system } = process.cpuUsage(start)
    expect((user + system) / 1000).toBeLessThan(4000)
  })
})
