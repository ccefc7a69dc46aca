// ONNX files as weights: whatever maps pictures to pictures runs, and everything else is refused before a runtime sees it.

import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { hashBytes } from '../src/checkpoints/files.ts'
import { openOnnxFile } from '../src/checkpoints/onnxFiles.ts'
import { float32Data, int64Data } from '../src/core/data.ts'
import { RestoreError } from '../src/core/errors.ts'
import type { Session } from '../src/core/session.ts'
import { writeOnnx } from '../src/onnx/write.ts'
import { checkPorts, findImageGraph } from '../src/runtime/graphs/findImageGraph.ts'
import { graphSession } from '../src/runtime/graphs/graphSession.ts'
import { describeGraph } from '../src/runtime/graphs/imageGraph.ts'
import { createRestorer, type RestorerOptions } from '../src/runtime/restorer.ts'
import type { SessionWithParts } from '../src/runtime/session/networkSessions.ts'
import { onnxSession } from '../src/runtime/session/nodeOnnxSession.ts'
import { TiledRestoration } from '../src/runtime/tiledRestoration.ts'
import { limpid } from './limpid.ts'
import { formula, type GraphOptions, graphFile, graphModel, node } from './onnxGraphs.ts'

const folder = mkdtempSync(join(tmpdir(), 'onnx-'))
afterAll(() => rmSync(folder, { recursive: true }))

let count = 0
function saved(bytes: Uint8Array, name = `${count++}.onnx`): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

const open = (weights: string, options: RestorerOptions = {}) =>
  createRestorer({ weights, device: 'cpu', threads: 1, ...options })

function photo(width: number, height: number, channels: 1 | 2 | 3 | 4) {
  const data = Uint8Array.from(
    { length: width * height * channels },
    (_, i) => 127 + 100 * Math.sin(0.001 * i * i),
  )
  return { data, width, height, channels }
}

/** What the formula makes of a sample in 0..255, away from the sides. */
function expected(
  { data, width, channels }: ReturnType<typeof photo>,
  x: number,
  y: number,
  c: number,
): number {
  const [left, middle, right] = [-1, 0, 1].map((dx) => data[(y * width + x + dx) * channels + c]!) as [
    number,
    number,
    number,
  ]
  const [a, b, d] = formula.kernel
  return Math.min(
    Math.max(255 * formula.offset + formula.slope * (a * left + b * middle + d * right), 0),
    255,
  )
}

/** Opens a file as the compute process does, which would take seconds to start for each. */
async function openHere(weights: string) {
  const { file, bytes, externalData } = openOnnxFile(weights)
  checkPorts(file)
  const session = await onnxSession(bytes, { threads: 1, externalData })
  const graph = await findImageGraph(file, session)
  const loaded = { network: describeGraph(graph), session: withoutParts(graphSession(session, graph)) }
  const restoration = new TiledRestoration({ loaded, trained: undefined, defaults: {}, budgetBytes: 2 ** 30 })
  return { restoration, size: graph.size }
}

function withoutParts(session: Session): SessionWithParts {
  return { ...session, part: (name) => expect.fail(`expected no part, got ${name}`) }
}

/** Restores a photo, and returns the largest deviation from the formula. */
async function deviation(weights: string, input: ReturnType<typeof photo>) {
  const { restoration, size } = await openHere(weights)
  const picture = { ...input, hasAlpha: false }
  const { pixels, info } = await restoration.restorePixels({ pixels: picture, depth: 8 }, false, {})
  const { data, width, height } = pixels
  const { scale } = restoration
  expect([width, height]).toEqual([input.width * scale, input.height * scale])
  let worst = 0
  for (let y = 0; y < height; y++) {
    for (let x = scale; x < width - scale; x++) {
      for (let c = 0; c < input.channels; c++) {
        const value = expected(input, Math.floor(x / scale), Math.floor(y / scale), c)
        worst = Math.max(worst, Math.abs(value - data[(y * width + x) * input.channels + c]!))
      }
    }
  }
  return { worst, size, tiles: info.tiles }
}

const anySize = { input: ['b', 3, 'h', 'w'], output: ['b', 3, 'h', 'w'] } satisfies GraphOptions
const pixels = { input: ['b', 'h', 'w', 3], output: ['b', 'h', 'w', 3], isNhwc: true } satisfies GraphOptions

describe('graphs from pictures to pictures', () => {
  test.each<[string, GraphOptions, object]>([
    ['planes of any size', anySize, { multipleOf: 1, minimum: 1 }],
    ['planes in 0..255', { ...anySize, peak: 255 }, {}],
    ['pixels', pixels, {}],
    ['pixels in 0..255', { ...pixels, peak: 255 }, {}],
    ['half precision', { ...anySize, inputType: 'float16' }, {}],
    ['bytes', { ...pixels, peak: 255, inputType: 'uint8' }, {}],
    ['bytes from floats in 0..255', { ...pixels, peak: 255, outputType: 'uint8' }, {}],
    ['multiples of 8', { ...anySize, multipleOf: 8 }, { multipleOf: 8, minimum: 8 }],
    ['a scale of 2', { ...anySize, scale: 2 }, {}],
    ['no names of channels', { input: ['n', 'c', 'h', 'w'], output: ['n', 'c', 'h', 'w'] }, {}],
    ['opacity', { input: [1, 4, 'h', 'w'], output: [1, 4, 'h', 'w'], channels: 4 }, {}],
    ['a fixed size', { input: [1, 3, 64, 64], output: [1, 3, 64, 64] }, { fixedTile: [64, 64] }],
    ['two pictures a run', { input: [2, 3, 64, 64], output: [2, 3, 64, 64] }, { fixedTile: [64, 64] }],
    ['a fixed oblong', { input: [1, 3, 48, 80], output: [1, 3, 96, 160], scale: 2 }, { fixedTile: [48, 80] }],
  ])('%s', async (_, options, size) => {
    const { worst, size: found } = await deviation(saved(graphFile(options)), photo(150, 70, 3))
    expect(worst).toBeLessThan(1)
    expect(found).toMatchObject(size)
  })

  test('whose weights restore nothing yet take 0..1, as networks do', async () => {
    const { initializers, ...model } = graphModel(anySize)
    const weight = Float32Array.from({ length: 27 }, (_, i) => (i % 12 === 1 ? 1 : 0))
    const same = new Map([
      ...initializers,
      ['weight', float32Data(weight, [3, 3, 1, 3])],
      ['bias', float32Data(Float32Array.of(0.3, 0.3, 0.3), [3])],
    ] as const)
    const { file, bytes } = openOnnxFile(saved(writeOnnx({ ...model, initializers: same })))
    const session = await onnxSession(bytes, { threads: 1 })
    const { input, output } = await findImageGraph(file, session)
    expect([input.peak, output.peak]).toEqual([1, 1])
  })

  test('of gray keep gray pictures gray', async () => {
    const gray = saved(graphFile({ input: ['b', 1, 'h', 'w'], output: ['b', 1, 'h', 'w'], channels: 1 }))
    expect((await deviation(gray, photo(40, 30, 1))).worst).toBeLessThan(1)
  })

  test('of a fixed size pad what is smaller and tile what is larger', async () => {
    const fixed = saved(graphFile({ input: [1, 3, 64, 64], output: [1, 3, 64, 64] }), 'fixed.onnx')
    const small = await deviation(fixed, photo(40, 21, 3))
    expect(small.tiles).toEqual({ count: 1, px: 64 })
    expect(small.worst).toBeLessThan(1)
    const large = await deviation(fixed, photo(150, 90, 3))
    expect(large.tiles).toEqual({ count: 6, px: 64 })
    expect(large.worst).toBeLessThan(1)
    const { restoration } = await openHere(fixed)
    const oblong = { ...photo(9, 8, 3), hasAlpha: false }
    await expect(
      restoration.restorePixels({ pixels: oblong, depth: 8 }, false, { tile: 32 }),
    ).rejects.toThrow('tile: expected 64, the only side of this network, got 32')
  })

  test('keep opacity, 16 bits and the share of the input', async () => {
    await using restorer = await open(saved(graphFile(anySize), 'model.onnx'))
    const input = photo(30, 20, 4)
    const result = await restorer.run(input, { strength: 0 })
    expect(result.info).toMatchObject({
      model: 'model.onnx',
      network: 'onnx',
      sha256: hashBytes(graphFile(anySize)),
    })
    expect(result.raw()).toMatchObject({ channels: 4, data: input.data })
    const wide = Uint16Array.from(photo(30, 20, 3).data, (value) => 257 * value)
    const restored = await restorer.run({ data: wide, width: 30, height: 20, channels: 3 })
    expect(restored.raw().depth).toBe(16)
  })

  test('of Limpid itself say what their sides must be multiples of, and name their license', async () => {
    const metadata = { range: '0..1', multipleOf: '16', minimum: '32', license: 'MIT License' }
    const file = saved(graphFile({ ...anySize, metadata }))
    expect((await openHere(file)).size).toEqual({ multipleOf: 16, minimum: 32 })
    const { code, stdout } = await limpid('inspect', file)
    expect(code).toBe(0)
    expect(stdout).toContain('Free for any use under the MIT License.')
    expect(stdout).toMatch(/takes +RGB as float32, 0\.\.1, NCHW\n.*\nsides +multiples of 16, at least 32\n/)
  })

  test('use weights that lie beside them', async () => {
    const { initializers, ...model } = graphModel(anySize)
    const weight = initializers.get('weight') ?? expect.fail()
    const others = new Map([...initializers].filter(([key]) => key !== 'weight'))
    const file = writeOnnx({ ...model, initializers: others })
    saved(weight.bytes, 'weights.bin')
    const path = saved(Buffer.concat([file, external('weights.bin')]))
    expect((await deviation(path, photo(40, 30, 3))).worst).toBeLessThan(1)
  })
})

/** A field of protobuf that holds bytes. */
function field(number: number, ...parts: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(parts)
  const length = [bytes.length & 127, bytes.length >> 7]
  return Buffer.concat([Buffer.from([number * 8 + 2, length[0]! | 128, length[1]!]), bytes])
}

const utf8 = (text: string) => Buffer.from(text)
const number = (field: number, value: number) => Buffer.from([field * 8, value])

/** A second part of the graph, with the weights of the convolution in another file. */
function external(location: string, place = 5): Buffer {
  const entry = (key: string, value: string) => field(13, field(1, utf8(key)), field(2, utf8(value)))
  const shape = [3, 3, 1, 3].map((size) => number(1, size))
  const tensor = [
    ...shape,
    number(2, 1),
    field(8, utf8('weight')),
    entry('location', location),
    number(14, 1),
  ]
  if (place === 5) return field(7, field(5, ...tensor))
  const attribute = field(5, field(1, utf8('value')), field(5, ...tensor), Buffer.from([0xa0, 1, 4]))
  return field(7, field(1, field(2, utf8('hidden')), field(4, utf8('Constant')), attribute))
}

/** A second part of the graph, with one operator. */
function operator(type: string, domain: string): Buffer {
  return field(
    7,
    field(1, field(1, utf8('in')), field(2, utf8('more')), field(4, utf8(type)), field(7, utf8(domain))),
  )
}

async function errorOf(action: () => Promise<unknown>): Promise<RestoreError> {
  const error: unknown = await action().catch((reason) => reason)
  return error instanceof RestoreError ? error : expect.fail(`expected a refusal, got ${error}`)
}

/** Why a file is refused in this process. */
const refusal = (weights: string) => errorOf(() => openHere(weights))

describe('graphs of other kinds are refused with what was found', () => {
  const [input] = graphModel(anySize).inputs
  const other = { name: 'sigma', dtype: 'float32', shape: [1] } as const
  test.each([
    [
      'two inputs',
      { inputs: [input!, other] },
      'in float32 [b 3 h w], sigma float32 [1] and the outputs .*: 2 inputs',
    ],
    ['three axes', { inputs: [{ ...input!, shape: [3, 64, 64] }] }, 'the input has 3 axes'],
    ['five channels', { inputs: [{ ...input!, shape: [1, 5, 64, 64] }] }, 'another number of channels'],
    ['whole numbers', { inputs: [{ ...input!, dtype: 'int64' as const }] }, 'in is of another type'],
    ['sides of a poster', { inputs: [{ ...input!, shape: [1, 3, 2 ** 40, 2 ** 40] }] }, 'at most 4096'],
  ])('%s', async (_, parts, message) => {
    const { code, message: got } = await refusal(saved(writeOnnx({ ...graphModel(anySize), ...parts })))
    expect(code).toBe('checkpoint')
    expect(got).toContain('expected a graph from one picture to one picture, [b c h w] or [b h w c]')
    expect(got).toMatch(new RegExp(message.replaceAll(/[[\]]/g, '\\$&')))
  })

  test('a classifier', async () => {
    const model = graphModel(anySize)
    const nodes = [
      ...model.nodes,
      node('GlobalAveragePool', ['out'], 'mean'),
      node('Flatten', ['mean'], 'logits'),
    ]
    const outputs = [{ name: 'logits', dtype: 'float32', shape: ['b', 3] }] as const
    const { message } = await refusal(saved(writeOnnx({ ...model, nodes, outputs })))
    expect(message).toContain(
      'the outputs logits float32 [b 3]: no run worked; the first gave an output of [1 3]',
    )
  })

  test('a part of a picture', async () => {
    const model = graphModel(anySize)
    const nodes = [...model.nodes, node('Slice', ['out', 'start', 'end', 'axes'], 'part')]
    const values = [
      ['start', 0],
      ['end', 16],
      ['axes', 3],
    ] as const
    const initializers = new Map([
      ...model.initializers,
      ...values.map(([key, value]) => [key, int64Data([value], [1])] as const),
    ])
    const outputs = [{ name: 'part', dtype: 'float32', shape: ['b', 3, 'h', 16] }] as const
    const { message } = await refusal(saved(writeOnnx({ ...model, nodes, initializers, outputs })))
    expect(message).toContain('the first gave an output of [1 3 41 16] for a picture of 41 × 42')
  })

  test.each<[RestorerOptions, string]>([
    [{ backend: 'torch' }, 'backend: expected auto or onnx'],
    [{ tensors: 'params' }, 'tensors: expected none'],
    [{ model: 'light-photo' }, 'model: expected none'],
    [{ task: 'denoise' }, 'task: expected none'],
    [{ options: { width: 3 } }, 'options: expected none'],
    [{ scale: 2 }, 'scale: expected 1'],
    [{ steps: 3 }, 'steps'],
  ])('options that cannot be heeded: %o', async (options, message) => {
    const error = await errorOf(() => open(saved(graphFile(anySize)), options))
    expect(error.code).toBe('usage')
    expect(error.message).toContain(message)
  })
})

describe('hostile files are refused before a runtime opens them', () => {
  const file = graphFile(anySize)
  const with_ = (more: Uint8Array) => Buffer.concat([file, more])
  writeFileSync(join(folder, 'secret'), new Uint8Array(1000))
  symlinkSync(join(folder, 'secret'), join(folder, 'link'))

  test.each<[string, Uint8Array, string]>([
    ['cut short', file.subarray(0, 200), 'cut short'],
    ['without a graph', file.subarray(0, 10), 'with a graph, got none'],
    [
      'weights up the tree',
      with_(external('../../etc/passwd')),
      'got ../../etc/passwd, which leads out of it',
    ],
    [
      'weights at an absolute path',
      with_(external('/etc/passwd')),
      'got /etc/passwd, which is no relative path',
    ],
    ['weights on a drive', with_(external('C:weights')), 'got C:weights, which is no relative path'],
    ['weights behind a link', with_(external('link')), 'got link, which is a link or no file'],
    ['weights in a folder', with_(external('.')), 'got ., which is a link or no file'],
    ['weights that are missing', with_(external('none')), 'got no such file; fetch it too'],
    ['weights of a constant', with_(external('secret', 1)), 'among the initializers alone'],
    [
      'custom operators',
      with_(operator('Steal', 'com.example')),
      'got com.example.Steal, which need code of others',
    ],
    [
      'operators of the runtime',
      with_(operator('EPContext', 'com.microsoft')),
      'got com.microsoft.EPContext',
    ],
    ['fields of no type', with_(Buffer.from([0x3f])), 'got type 7'],
    ['more bytes than there are', with_(Buffer.from([0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f])), 'cut short'],
    ['endless numbers', with_(Buffer.alloc(12, 0xff)), 'expected a number'],
    [
      'weights larger than their bytes',
      with_(
        field(
          7,
          field(5, number(1, 100), number(1, 100), number(2, 1), field(8, utf8('w')), field(9, utf8('few'))),
        ),
      ),
      "tensor 'w': expected 40000 bytes for float32 [100,100], got 3",
    ],
    [
      'weights larger than memory',
      with_(field(7, field(5, ...[1, 2, 3, 4].map(() => Buffer.from([8, 255, 255, 255, 255, 127]))))),
      'has the impossible shape',
    ],
  ])('%s', async (_, bytes, message) => {
    const error = await refusal(saved(bytes))
    expect(['checkpoint', 'input']).toContain(error.code)
    expect(error.message).toContain(message)
  })

  test('graphs nested without end', async () => {
    let inner: Uint8Array = number(2, 1)
    for (let i = 0; i < 40; i++) inner = field(1, field(5, field(6, inner)))
    expect((await refusal(saved(with_(field(7, inner))))).message).toContain('nested more than 24 deep')
  })

  test('other commands say what an ONNX file is for', async () => {
    const { loadModel } = await import('../src/registry/loadModel.ts')
    const { readCheckpoint } = await import('../src/checkpoints/files.ts')
    expect(() => loadModel(readCheckpoint(saved(file)))).toThrow('this is an ONNX file')
  })
})
