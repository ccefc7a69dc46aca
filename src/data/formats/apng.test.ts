import { deflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { countPages, decodeBytes, imageSize } from '../decode.ts'
import { pngChunk } from './png.ts'

interface Drawn {
  /** Left, top, width and height. @default the whole picture */
  readonly region?: readonly [number, number, number, number]
  /** Gray levels, and alpha behind each if the picture has it. */
  readonly samples: readonly number[]
  /** 0 keeps, 1 clears, 2 restores what was there before. */
  readonly dispose?: number
  /** 0 replaces, 1 blends. */
  readonly blend?: number
}

/** A gray picture of 3 × 1 pixels. */
function animated(
  frames: readonly Drawn[],
  { depth = 8, alpha = true, hidden = false, announced = frames.length } = {},
): Buffer {
  const channels = alpha ? 2 : 1
  const numbers = (...values: readonly number[]) => {
    const body = Buffer.alloc(values.length * 4)
    for (const [i, value] of values.entries()) body.writeUInt32BE(value, i * 4)
    return body
  }
  const samplesOf = (samples: readonly number[], rows: number) => {
    const bytes = samples.flatMap((value) => (depth === 16 ? [value >> 8, value & 255] : [value]))
    const stride = bytes.length / rows
    return deflateSync(
      Buffer.from(
        Array.from({ length: rows }, (_, y) => [0, ...bytes.slice(y * stride, (y + 1) * stride)]).flat(),
      ),
    )
  }
  const header = Buffer.concat([numbers(3, 1), Buffer.from([depth, alpha ? 4 : 0, 0, 0, 0])])
  const still = pngChunk('IDAT', samplesOf(Array(3 * channels).fill(7), 1))
  let sequence = 0
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    // Behind a text, which may be long.
    pngChunk('tEXt', Buffer.from(`Title\0${'a'.repeat(900)}`)),
    pngChunk('acTL', numbers(announced, 0)),
    ...(hidden ? [still] : []),
    ...frames.flatMap(({ region = [0, 0, 3, 1], samples, dispose = 0, blend = 0 }, i) => {
      const [left, top, width, height] = region
      const times = Buffer.from([0, 1, 0, 10, dispose, blend])
      const control = pngChunk('fcTL', numbers(sequence++, width, height, left, top), times)
      const data = samplesOf(samples, height)
      return [
        control,
        i === 0 && !hidden ? pngChunk('IDAT', data) : pngChunk('fdAT', numbers(sequence++), data),
      ]
    }),
    pngChunk('IEND'),
  ])
}

async function framesOf(file: Buffer): Promise<readonly (readonly number[])[]> {
  const { pages } = await countPages(file)
  const decoded = Array.from({ length: pages }, (_, i) => decodeBytes(file, { page: i + 1 }))
  return (await Promise.all(decoded)).map(({ pixels }) => [...pixels.data])
}

describe('frames of an animated PNG', () => {
  const whole = [10, 255, 20, 255, 30, 255]

  test('replace or are blended with what the ones before leave', async () => {
    const frames: readonly Drawn[] = [
      { samples: whole },
      { samples: [100, 0, 200, 255], region: [1, 0, 2, 1], blend: 1, dispose: 2 },
      { samples: [110, 102], region: [0, 0, 1, 1], blend: 1, dispose: 1 },
      { samples: [90, 51], region: [2, 0, 1, 1] },
      { samples: [40, 255], region: [0, 0, 1, 1], dispose: 0 },
      { samples: [50, 255], region: [2, 0, 1, 1], blend: 1 },
    ]
    expect(await framesOf(animated(frames))).toEqual([
      whole,
      [10, 255, 20, 255, 200, 255],
      [50, 255, 20, 255, 30, 255],
      [0, 0, 20, 255, 90, 51],
      [40, 255, 20, 255, 90, 51],
      [40, 255, 20, 255, 50, 255],
    ])
  })

  test('of 16 bits keep them, and are opaque where the file is and nothing is cleared', async () => {
    const frames: readonly Drawn[] = [
      { samples: [1000, 2000, 65535], dispose: 1 },
      { samples: [3001], region: [1, 0, 1, 1] },
      { samples: [1, 2, 3] },
    ]
    const file = animated(frames, { depth: 16, alpha: false })
    expect(await framesOf(file)).toEqual([
      [1000, 2000, 65535],
      [0, 0, 3001, 65535, 0, 0],
      [1, 2, 3],
    ])
    expect(await decodeBytes(file, { page: 2 })).toMatchObject({
      depth: 16,
      format: 'png',
      pixels: { channels: 1, hasAlpha: true, data: expect.any(Uint16Array) },
      metadata: { texts: [{ keyword: 'Title' }] },
    })
  })

  test('leave out a picture that only other viewers show', async () => {
    const frames = [{ samples: whole }, { samples: [1, 255], region: [0, 0, 1, 1] }] as const
    expect(await framesOf(animated(frames, { hidden: true }))).toEqual([whole, [1, ...whole.slice(1)]])
  })

  test('are counted, whatever their number is said to be, and refused if damaged', async () => {
    const two = animated([{ samples: whole }, { samples: whole }], { announced: 4e9 })
    expect(await countPages(two)).toEqual({ pages: 2, isAnimation: true })
    expect(await imageSize(two, { page: 2 })).toMatchObject({ width: 3, height: 1 })
    await expect(decodeBytes(two)).rejects.toThrow('an animation or document of 2 pages; choose one')
    await expect(decodeBytes(two, { page: 3 })).rejects.toThrow('2 pages, without page 3')
    const outside = animated([{ samples: whole }, { samples: [1, 255], region: [3, 0, 1, 1] }])
    await expect(decodeBytes(outside, { page: 2 })).rejects.toThrow('frame 2 lies outside the picture')
    const short = animated([{ samples: whole }, { samples: [1, 255], region: [0, 0, 3, 1] }])
    await expect(decodeBytes(short, { page: 2 })).rejects.toThrow('expected a readable still image')
  })
})
