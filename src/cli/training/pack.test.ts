import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeLeftover } from '../../../test/leftovers.ts'
import { limpid } from '../../../test/limpid.ts'
import { decodeBytes } from '../../data/decode.ts'
import { openSource } from '../../data/sources/datasets.ts'
import { packCommand } from './pack.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-pack-'))
const at = (...names: string[]) => join(dir, ...names)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const pack = (...args: string[]) => limpid('pack', ...args)

const names = ['a.png', 'b.v2.png', 'sub/a.png', 'sub/Zoë.png']

beforeAll(async () => {
  for (const folder of ['GT', 'LQ']) {
    mkdirSync(at(folder, 'sub'), { recursive: true })
    for (const [i, name] of names.entries()) {
      // Noise, so that two of them do not fit into a megabyte.
      const pixels = Uint8Array.from({ length: 500 * 500 * 3 }, (_, p) => Math.imul(p + i, 2654435761) >>> 24)
      const raw = { width: 500, height: 500, channels: 3 } as const
      await sharp(pixels, { raw }).png({ compressionLevel: 0 }).toFile(at(folder, name))
    }
  }
})

describe('limpid pack', () => {
  test('writes shards and an index, from which every image is read as it was', async () => {
    const { code, stdout } = await pack(at('GT'), '-o', at('out'), '--shard-mb', '2')
    expect([code, stdout]).toEqual([0, `${at('out', 'index.json')}\n`])
    expect(readdirSync(at('out'))).toEqual(['index.json', 'shard-000000.tar', 'shard-000001.tar'])
    const source = await openSource({ kind: 'shards', path: at('out') })
    const found = Array.from({ length: source.length }, (_, i) => source.name(i))
    expect(found).toEqual(['a.png', 'b_v2.png', 'sub/Zoë.png', 'sub/a.png'])
    for (const [i, name] of [...names.slice(0, 2), 'sub/Zoë.png', 'sub/a.png'].entries()) {
      expect(Buffer.from(await source.read(i)).equals(readFileSync(at('GT', name)))).toBe(true)
    }
  })

  test('puts the folders of pairs into one sample, a field each', async () => {
    const { code, stdout } = await pack('--json', at('GT'), at('LQ'), '-o', at('pairs'))
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { shards: 1, kept: 0, images: 8, samples: 4 }])
    const listed = execFileSync('tar', ['-tf', at('pairs', 'shard-000000.tar')], { encoding: 'utf8' })
    expect(listed.split('\n').slice(0, 4)).toEqual(['a.GT.png', 'a.LQ.png', 'b_v2.GT.png', 'b_v2.LQ.png'])
    const inputs = await openSource({ kind: 'shards', path: at('pairs'), field: 'LQ' })
    expect([inputs.length, inputs.name(0)]).toEqual([4, 'a.png'])
    expect((await decodeBytes(await inputs.read(3))).pixels.width).toBe(500)
  })

  test('resumes: shards that are whole and unchanged stay, the others are made again', async () => {
    const target = at('resumed')
    await pack(at('GT'), '-o', target, '--shard-mb', '1')
    const kept = statSync(join(target, 'shard-000000.tar'))
    rmSync(join(target, 'index.json'))
    writeFileSync(join(target, 'shard-000001.tar'), 'torn')
    writeLeftover(target)
    utimesSync(at('GT', 'sub/a.png'), 1_500_000_000, 1_500_000_000)
    const { stdout } = await pack('--json', at('GT'), '-o', target, '--shard-mb', '1', '--resume')
    expect(JSON.parse(stdout)).toMatchObject({ shards: 4, kept: 2 })
    expect(statSync(join(target, 'shard-000000.tar')).ino).toBe(kept.ino)
    expect(readdirSync(target).filter((name) => name.endsWith('.tmp'))).toEqual([])
    expect((await openSource({ kind: 'shards', path: target })).length).toBe(4)
  })

  test('refuses a wrong option and existing shards with one sentence', async () => {
    await pack(at('GT'), '-o', at('twice'))
    const cases = [
      [
        2,
        '--shard-mb: expected a whole number from 1 to 1000000, got 0',
        at('GT'),
        '-o',
        at('x'),
        '--shard-mb',
        '0',
      ],
      [1, 'holds shards already; give another folder, --resume', at('GT'), '-o', at('twice')],
    ] as const
    for (const [exit, reason, ...args] of cases) {
      const { code, stdout, stderr } = await pack(...args)
      expect([code, stdout]).toEqual([exit, ''])
      expect(stderr).toContain(reason)
    }
  })

  test('refuses inputs that are missing, empty or of one name, and leaves nothing behind', async () => {
    mkdirSync(at('empty'))
    writeFileSync(at('file'), '')
    mkdirSync(at('other', 'GT'), { recursive: true })
    mkdirSync(at('twins'))
    for (const name of ['a.b.png', 'a_b.png']) writeFileSync(at('twins', name), 'x')
    const cases = [
      ['expected images (jpg, jpeg', at('x'), at('empty')],
      ['cannot be read (ENOENT', at('x'), at('none')],
      ['file; give its folder', at('x'), at('GT'), at('file')],
      ['expected a folder for the shards, got a file', at('file'), at('GT')],
      ['got two called GT; rename one', at('x'), at('GT'), at('other', 'GT')],
      ['a_b.png is that of', at('x'), at('twins')],
    ] as const
    for (const [reason, output, ...folders] of cases) {
      await expect(packCommand(folders, { output, shardMb: 9, quiet: true })).rejects.toThrow(reason)
    }
    expect(existsSync(at('x'))).toBe(false)
  })
})
