import { execFile } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { libtorchMissing } from '../../test/libtorch.ts'
import { limpid, program } from '../../test/limpid.ts'
import { readCheckpoint, writeSafetensors } from '../checkpoints/files.ts'
import { float32Data, type TensorData } from '../core/data.ts'
import { ConditionalUnet, conditionalUnetDefaults } from '../models/conditionalUnet/conditionalUnet.ts'
import { Ipt, iptDefaults } from '../models/ipt/ipt.ts'
import { Restormer, restormerDefaults } from '../models/restormer/restormer.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { onnxSession } from '../runtime/session/nodeOnnxSession.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-cli-'))
const at = (name: string) => join(dir, name)

/** What it writes to stdout, given bytes on stdin. */
function piped(input: Uint8Array, ...args: string[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, stdout: Buffer) => (error ? reject(error) : resolve(stdout))
    execFile(process.execPath, [program, ...args], { encoding: 'buffer' }, done).stdin?.end(input)
  })
}

function sequence(seed: number): () => number {
  let at = seed
  return () => {
    const x = Math.sin(++at * 12.9898) * 43758.5453
    return x - Math.floor(x)
  }
}

const tiny = { ...restormerDefaults, dim: 8, numBlocks: [1, 1, 1, 1], numRefinementBlocks: 1 } as const

beforeAll(async () => {
  const network = new Restormer(randomInit(sequence(1)), tiny)
  const tensors = new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()]))
  writeSafetensors(at('tiny.safetensors'), tensors)
  const [first] = tensors.keys()
  const broken = new Map<string, TensorData>(tensors)
  broken.delete('latent.0.attn.qkv.weight')
  broken.set('extra.weight', float32Data(Float32Array.of(1), [1]))
  writeSafetensors(at('keys.safetensors'), broken)
  const nan = tensors.get(first ?? '') as TensorData
  const values = new Float32Array(nan.bytes.length / 4).fill(Number.NaN)
  writeSafetensors(
    at('nan.safetensors'),
    new Map([...tensors, [first ?? '', float32Data(values, nan.shape)]]),
  )
  const bias = tensors.get('output.weight') as TensorData
  const large = new Float32Array(bias.bytes.length / 4).fill(-70000)
  writeSafetensors(
    at('large.safetensors'),
    new Map([...tensors, ['output.weight', float32Data(large, bias.shape)]]),
  )
  const dual = new Restormer(randomInit(sequence(2)), { ...tiny, channelsIn: 6, dualPixel: true })
  writeSafetensors(
    at('dual.safetensors'),
    new Map([...stateDict(dual)].map(([key, tensor]) => [key, tensor.read()])),
  )
  writeSafetensors(at('other.safetensors'), new Map([['conv.weight', float32Data(Float32Array.of(1), [1])]]))
  const pixels = Uint8Array.from({ length: 21 * 13 * 3 }, (_, i) => (i * 37) % 256)
  await sharp(pixels, { raw: { width: 21, height: 13, channels: 3 } })
    .png()
    .toFile(at('photo.png'))
  writeFileSync(at('torn.png'), readFileSync(at('photo.png')).subarray(0, 60))
  const input = Float32Array.from({ length: 3 * 16 * 24 }, sequence(7))
  writeSafetensors(at('in.safetensors'), new Map([['x', float32Data(input, [1, 3, 16, 24])]]))
  writeSafetensors(
    at('odd.safetensors'),
    new Map([['x', float32Data(new Float32Array(3 * 15 * 24), [1, 3, 15, 24])]]),
  )
  writeSafetensors(
    at('gray.safetensors'),
    new Map([['x', float32Data(new Float32Array(256), [1, 1, 16, 16])]]),
  )
})

afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('limpid restore', () => {
  test('writes a picture of the same size and prints its path alone', async () => {
    const { code, stdout } = await limpid('restore', at('photo.png'), '--weights', at('tiny.safetensors'))
    expect([code, stdout]).toEqual([0, `${at('photo_restored.png')}\n`])
    const { width, height, channels } = await sharp(at('photo_restored.png')).metadata()
    expect([width, height, channels]).toEqual([21, 13, 3])
  })

  test('does not overwrite, and says what to do', async () => {
    writeFileSync(at('kept.png'), 'mine')
    const { code, stderr } = await limpid(
      'restore',
      at('photo.png'),
      '-o',
      at('kept.png'),
      '--weights',
      at('tiny.safetensors'),
    )
    expect(code).toBe(1)
    expect(stderr).toContain('kept.png: exists already; give another name, or overwrite it (--overwrite)')
    expect(readFileSync(at('kept.png'), 'utf8')).toBe('mine')
  })

  test('a torn image is an error of that file and leaves nothing behind', async () => {
    const before = readdirSync(dir)
    const { code, stderr } = await limpid('restore', at('torn.png'), '--weights', at('tiny.safetensors'))
    expect(code).toBe(1)
    expect(stderr).toMatch(/error: .*torn\.png: expected a readable still image/)
    expect(readdirSync(dir)).toEqual(before)
  })

  test('tiles report their progress on stderr, with the time left', async () => {
    const args = [
      '--weights',
      at('tiny.safetensors'),
      '--tile',
      '16',
      '--overlap',
      '8',
      '-o',
      at('tiled.png'),
    ]
    const { code, stderr, stdout } = await limpid('restore', at('photo.png'), ...args)
    expect([code, stdout]).toEqual([0, `${at('tiled.png')}\n`])
    expect(stderr).toMatch(/tile 1\/2, .* left/)
  })

  test('without weights it says which file is wanted', async () => {
    const { code, stderr } = await limpid(
      'restore',
      at('photo.png'),
      '--model',
      'restormer-derain',
      '-o',
      at('none.png'),
    )
    expect(code).toBe(2)
    expect(stderr).toContain('expected --weights FILE with the official file deraining.pth')
  })

  test('weights of another variant than the model named are refused', async () => {
    const args = [
      '--model',
      'restormer-denoise-color-25',
      '--weights',
      at('tiny.safetensors'),
      '-o',
      at('no.png'),
    ]
    const { code, stderr } = await limpid('restore', at('photo.png'), ...args)
    expect(code).toBe(1)
    expect(stderr).toContain('expected weights of restormer-denoise-color-25 with dim 48, got 8;')
    expect(existsSync(at('no.png'))).toBe(false)
  })
})

describe('limpid restore refuses before it computes', () => {
  // Weights that do not exist would be the first error of a run that gets further.
  const early = (...args: string[]) => limpid('restore', ...args, '--weights', at('absent.safetensors'))

  test.each([
    [
      'a format that is not known',
      ['--format', 'bmp'],
      'one of png, jpg, jpeg, webp, tif, tiff, avif, got bmp',
    ],
    ['a format that every object knows', ['--format', 'constructor'], 'got constructor'],
    [
      'a folder that is a file',
      ['-o', at('photo.png/x.png')],
      `expected a folder ${at('photo.png')}, got a file; choose another folder`,
    ],
    ['a device', ['-o', '/dev/null', '--overwrite'], '/dev/null: expected a file to write, got a device'],
  ])('%s', async (_, args, message) => {
    const { code, stderr } = await early(at('photo.png'), ...args)
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
  })

  test.skipIf(process.getuid?.() === 0)('a folder that cannot be written to', async () => {
    mkdirSync(at('locked'))
    chmodSync(at('locked'), 0o555)
    const { code, stderr } = await early(at('photo.png'), '-o', at('locked'))
    expect(code).toBe(1)
    expect(stderr).toContain('that can be written to, which it cannot')
  })

  test('transparency in a format without it', async () => {
    await sharp(new Uint8Array(256), { raw: { width: 8, height: 8, channels: 4 } })
      .png()
      .toFile(at('clear.png'))
    const args = ['--weights', at('tiny.safetensors'), '-o', at('clear.jpg')]
    const { code, stderr } = await limpid('restore', at('clear.png'), ...args)
    expect(code).toBe(2)
    expect(stderr).toContain('which the image has, got jpg; use png, webp, tif, tiff, avif')
    expect(existsSync(at('clear.jpg'))).toBe(false)
  })

  test('weights for a pair of photos, and says what takes them', async () => {
    const args = ['--weights', at('dual.safetensors'), '-o', at('pair.png')]
    const { code, stderr } = await limpid('restore', at('photo.png'), ...args)
    expect(code).toBe(1)
    expect(stderr).toContain('expected an image with 6 channel(s), got 3')
    expect(stderr).toContain('limpid forward')
  })
})

describe('limpid restore writes', () => {
  test('into a folder, under its own name and in the format of the input', async () => {
    mkdirSync(at('out.v2'))
    const args = ['--weights', at('tiny.safetensors'), '-o', at('out.v2'), '--tile', '16']
    const { code, stdout } = await limpid('restore', at('photo.png'), ...args)
    expect([code, stdout]).toEqual([0, `${at('out.v2/photo.png')}\n`])
  })

  test('to stdout what came on stdin, and nothing else', async () => {
    const file = readFileSync(at('photo.png'))
    const result = await piped(file, 'restore', '-', '--weights', at('tiny.safetensors'), '--format', 'webp')
    const { width, height, format } = await sharp(result).metadata()
    expect([width, height, format]).toEqual([21, 13, 'webp'])
  })
})

describe('wrong checkpoints', () => {
  const run = (weights: string, inputs = 'in.safetensors') =>
    limpid(
      'forward',
      '--weights',
      at(weights),
      '--inputs',
      at(inputs),
      '--output',
      at(`${weights}.${inputs}.out`),
    )

  test('a checkpoint of another network names the networks that are known', async () => {
    const { code, stderr } = await run('other.safetensors')
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^error: .*other\.safetensors: expected a checkpoint of restormer, .*, got keys of another network \(conv\.weight\)\n$/,
    )
  })

  test('missing and unexpected keys are listed at once', async () => {
    const { code, stderr } = await run('keys.safetensors')
    expect(code).toBe(1)
    expect(stderr).toContain('missing 1: latent.0.attn.qkv.weight; unexpected 1: extra.weight')
  })

  test('weights that are not finite are refused by key', async () => {
    const { code, stderr } = await run('nan.safetensors')
    expect(code).toBe(1)
    expect(stderr).toContain('got NaN or infinity in key patch_embed.proj.weight')
  })

  test('a size that is no multiple of 8 is refused with the shapes', async () => {
    const { code, stderr } = await run('tiny.safetensors', 'odd.safetensors')
    expect(code).toBe(1)
    expect(stderr).toMatch(/error: x: expected \[b 3 h w\] with h and w multiples of 8 .*, got \[1 3 15 24\]/)
  })

  test('wrong channels are refused with the shapes', async () => {
    const { code, stderr } = await run('tiny.safetensors', 'gray.safetensors')
    expect(code).toBe(1)
    expect(stderr).toMatch(/error: x: expected \[b 3 h w\].*, got \[1 1 16 16\]/)
  })
})

describe('limpid convert, inspect and export', () => {
  test('half precision halves the file and keeps the keys', async () => {
    const { code } = await limpid(
      'convert',
      at('tiny.safetensors'),
      at('half.safetensors'),
      '--dtype',
      'float16',
    )
    expect(code).toBe(0)
    const [full, half] = [readCheckpoint(at('tiny.safetensors')), readCheckpoint(at('half.safetensors'))]
    expect([...half.tensors.keys()].sort()).toEqual([...full.tensors.keys()].sort())
    expect([...half.tensors.values()].every(({ dtype }) => dtype === 'float16')).toBe(true)
  })

  test('a value that half precision cannot hold is refused by its key', async () => {
    const args = [at('large.safetensors'), at('overflow.safetensors'), '--dtype']
    const { code, stderr } = await limpid('convert', ...args, 'float16')
    expect(code).toBe(1)
    expect(stderr).toContain("output.weight: expected values within float16's 65504, got 70000")
    expect(existsSync(at('overflow.safetensors'))).toBe(false)
    expect((await limpid('convert', ...args, 'bfloat16')).code).toBe(0)
  })

  test('statistics of batch norms stay as they are: half precision may not hold them', async () => {
    const values = (...numbers: number[]) => float32Data(Float32Array.from(numbers), [numbers.length])
    const norm = new Map([
      ['norm.weight', values(1, 2)],
      ['norm.running_var', values(70_000, 1)],
    ])
    writeSafetensors(at('norm.safetensors'), norm)
    const args = [at('norm.safetensors'), at('half-norm.safetensors'), '--dtype', 'float16']
    expect((await limpid('convert', ...args)).code).toBe(0)
    const { tensors } = readCheckpoint(at('half-norm.safetensors'))
    expect(tensors.get('norm.weight')?.dtype).toBe('float16')
    expect(tensors.get('norm.running_var')?.dtype).toBe('float32')
  })

  test('inspect tells the network, its options and its license as JSON', async () => {
    const { code, stdout } = await limpid('inspect', at('tiny.safetensors'), '--json')
    expect(code).toBe(0)
    const { model, options, license } = JSON.parse(stdout)
    expect([model, options.dim]).toEqual(['restormer', 8])
    expect(license).toMatch(/^License unknown, .* Academic Public License \(Restormer\)/)
  })

  test.skipIf(libtorchMissing)(
    'export writes a graph that ONNX Runtime opens, and how well it agrees',
    async () => {
      const args = ['--weights', at('tiny.safetensors'), '--size', '16x24', '--json']
      const { code, stdout } = await limpid('export', at('tiny.onnx'), ...args)
      expect(code).toBe(0)
      const { inputs, bytes, difference } = JSON.parse(stdout)
      expect(inputs).toEqual({ x: [1, 3, 16, 24] })
      expect(difference).toBeLessThan(1e-4)
      const file = readFileSync(at('tiny.onnx'))
      expect(file.length).toBe(bytes)
      const session = await onnxSession(file)
      const result = await session.run({ x: float32Data(new Float32Array(3 * 16 * 24), [1, 3, 16, 24]) })
      expect(result.y?.shape).toEqual([1, 3, 16, 24])
      await session.close()
      // Strings of a protobuf message are plain text in the file.
      const text = file.toString('latin1')
      for (const [name, value] of Object.entries({
        model: 'restormer',
        inputs: '{"x":"b 3 h w"}',
        colors: 'RGB',
        range: '0..1',
        multipleOf: '8',
        scale: '1',
      }))
        expect(text).toContain(`${name}\x12${String.fromCharCode(value.length)}${value}`)
    },
  )

  test.skipIf(libtorchMissing)('export takes a task, and a network of several inputs', async () => {
    const shapes = {
      ipt: { channels: 4, patchSize: 12, layers: 1, hidden: 72 },
      unet: { width: 8, multipliers: [1, 2] },
    }
    const ipt = new Ipt(randomInit(sequence(2)), { ...iptDefaults, ...shapes.ipt })
    const unet = new ConditionalUnet(randomInit(sequence(3)), { ...conditionalUnetDefaults, ...shapes.unet })
    for (const [name, network] of Object.entries({ ipt, unet })) {
      const tensors = [...stateDict(network)].map(([key, tensor]) => [key, tensor.read()] as const)
      writeSafetensors(at(`${name}.safetensors`), new Map(tensors))
    }
    const args = ['--options', '{"patchSize":12}', '--task', 'sr-x2', '--json']
    const [windowed, sized] = await Promise.all([
      limpid('export', at('ipt.onnx'), '--weights', at('ipt.safetensors'), ...args),
      limpid('export', at('unet.onnx'), '--weights', at('unet.safetensors'), '--size', '16x24', '--json'),
    ])
    expect(JSON.parse(windowed.stdout).inputs).toEqual({ x: [1, 3, 12, 12] })
    const picture = [1, 3, 16, 24]
    expect(JSON.parse(sized.stdout).inputs).toEqual({ state: picture, degraded: picture, time: [1] })
  })

  test('export wants sizes that the network takes', async () => {
    const { code, stderr } = await limpid(
      'export',
      at('x.onnx'),
      '--weights',
      at('tiny.safetensors'),
      '--size',
      '60x64',
    )
    expect(code).toBe(2)
    expect(stderr).toContain(
      'expected --size HxW with sides of at least 8 and multiples of 8, or --dynamic, got 60x64',
    )
  })
})

describe('the command line itself', () => {
  test.each([
    ['an unknown command', ['frobnicate'], /unknown command 'frobnicate'/],
    ['an unknown option', ['restore', 'x.png', '--frob'], /unknown option '--frob'/],
    ['a missing argument', ['restore'], /^error: expected INPUT, got none; see --help\n$/],
    ['a missing option', ['eval'], /^error: --data: expected DIR, got none; see --help\n$/],
    [
      'an option without its value',
      ['restore', 'x.png', '--tile'],
      /^error: --tile: expected PX, got none; see --help\n$/,
    ],
    ['no command', [], /Usage: limpid/],
    ['an unknown model', ['models', 'show', 'x'], /unknown model .*: expected one of/],
    [
      'an unknown backend',
      ['restore', 'x.png', '--backend', 'tf'],
      /--backend: expected auto, onnx or torch, got tf/,
    ],
    [
      'an unknown dtype',
      ['restore', 'x.png', '--dtype', 'int8'],
      /--dtype: expected auto, float32 or bfloat16, got int8/,
    ],
  ])('%s is wrong usage', async (_, args, message) => {
    const { code, stderr, stdout } = await limpid(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
  })

  test('with --json what is wrong is a document too, and the only one', async () => {
    const [usage, run] = await Promise.all([
      limpid('restore', 'x.png', '--teil', '8', '--json'),
      limpid('--json', 'restore', at('absent.png'), '--weights', at('tiny.safetensors')),
    ])
    const message = "unknown option '--teil'; did you mean --tile?"
    expect([usage.code, JSON.parse(usage.stdout)]).toEqual([2, { failures: [{ code: 'usage', message }] }])
    expect([run.code, JSON.parse(run.stdout)]).toMatchObject([
      1,
      { results: [], failures: [{ input: at('absent.png'), code: 'input' }] },
    ])
  })

  test('help and version are no failures', async () => {
    const [help, version] = await Promise.all([limpid('--help'), limpid('--version')])
    expect([help.code, version.code]).toEqual([0, 0])
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})
