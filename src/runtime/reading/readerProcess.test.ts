import { existsSync, readdirSync, readFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { until } from '../../../test/busy.ts'
import { decodeBytes } from '../../data/decode.ts'
import { embedMetadata } from '../../data/metadata/embed.ts'
import { decodeElsewhere } from './readerProcess.ts'
import { fromFrame, toFrame } from './readProtocol.ts'

const noise = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * i * 7) % 251)
const photo = sharp(noise, { raw: { width: 40, height: 30, channels: 3 } })

/**
 * A progressive JPEG of one color with a scan of all details repeated, which is legal and takes a pass over the picture
 * each. The scan codes them in full, since one that refines may not come twice.
 */
async function scans(side: number, count: number): Promise<Buffer> {
  const big = sharp({ create: { width: side, height: side, channels: 3, background: 'teal' } })
  const file = await big.jpeg({ progressive: true }).toBuffer()
  const [startOfScan, tables] = [Buffer.from([0xff, 0xda]), Buffer.from([0xff, 0xc4])]
  const afterFirst = file.indexOf(tables, file.indexOf(startOfScan))
  const scan = Buffer.from(file.subarray(file.lastIndexOf(tables), -2))
  const header = scan.indexOf(startOfScan)
  scan[header + 1 + scan.readUInt16BE(header + 2)] = 0
  return Buffer.concat([file.subarray(0, afterFirst), ...Array<Buffer>(count).fill(scan), file.subarray(-2)])
}

/** Numbers of this process's own processes that read. */
function readers(): readonly string[] {
  const isReader = (pid: string) => {
    try {
      const [, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      return (
        Number(parent) === process.pid && /reader\.[jt]s/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
      )
    } catch {
      // It has ended meanwhile.
      return false
    }
  }
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isReader(name))
}

describe('a process that reads', { timeout: 60_000 }, () => {
  test('returns what decoding in this process does, with all metadata', async () => {
    const file = await photo.clone().withIccProfile('p3').png().toBuffer()
    const metadata = {
      texts: [{ keyword: 'Comment', text: 'Größe' }],
      resolution: { x: 300, y: 200 },
      iptc: Buffer.from([0x1c, 2, 120, 0, 1, 65]),
    }
    const whole = await embedMetadata(file, 'png', { metadata, width: 40, height: 30 })
    const options = { name: 'photo.png' }
    expect(plain(await decodeElsewhere(whole, options))).toEqual(plain(await decodeBytes(whole, options)))
    const deep = await photo.clone().toColourspace('rgb16').png().toBuffer()
    expect((await decodeElsewhere(deep, options)).pixels.data).toBeInstanceOf(Uint16Array)
  })

  test('reports what cannot be read as this process does, by name', async () => {
    await expect(decodeElsewhere(Buffer.from('hello'), { name: 'a.png' })).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('a.png: expected a readable still image, got: no image format'),
    })
    await expect(decodeElsewhere('none.png', { name: 'none.png' })).rejects.toThrow('none.png: no such file')
  })

  test.runIf(existsSync('/proc/self/stat'))(
    'is canceled in the middle of a picture, and others are read meanwhile',
    async () => {
      const slow = await scans(9000, 450)
      const leaving = new AbortController()
      const order: string[] = []
      const reading = decodeElsewhere(slow, { name: 'slow.jpg' }, leaving.signal)
        .catch(({ code }) => code)
        .then((outcome) => order.push(outcome))
      const other = await decodeElsewhere(await photo.clone().png().toBuffer(), { name: 'b.png' })
      expect([other.pixels.width, order, readers().length]).toEqual([40, [], 2])
      leaving.abort()
      await reading
      expect(order).toEqual(['aborted'])
      await until(() => readers().length === 1)
    },
  )

  test('refuses a JPEG of countless scans without decoding it', async () => {
    await expect(decodeElsewhere(await scans(64, 2000), { name: 'a.jpg' })).rejects.toThrow(
      /a\.jpg: .* a JPEG of 20\d\d scans, more than 500/,
    )
  })
})

test('a decoded picture survives its frame', async () => {
  const heic = readFileSync(new URL('../../../test/golden/heic/turned.heic', import.meta.url))
  const decoded = await decodeBytes(heic)
  const [facts, parts] = toFrame(decoded)
  expect(plain(fromFrame(JSON.parse(JSON.stringify(facts)), parts))).toEqual(plain(decoded))
})

/** The same without keys that are undefined, which JSON drops, and with typed arrays as lists. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array || value instanceof Uint16Array) return [...value]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const kept = Object.entries(value).filter(([, one]) => one !== undefined)
  return Object.fromEntries(kept.map(([name, one]) => [name, plain(one)]))
}
