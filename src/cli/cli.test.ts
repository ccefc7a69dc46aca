import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readCheckpoint, writeSafetensors } from '../checkpoints/files.ts'
import { float32Data, type TensorData } from '../core/data.ts'
import { Restormer, restormerDefaults } from '../models/restormer.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-cli-'))
const at = (name: string) => join(dir, name)

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function limpid(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
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
    at('grey.safetensors'),
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
    expect(stderr).toContain('kept.png: exists already; give another name, or --overwrite')
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
    expect([code, stderr]).toEqual([
      1,
      'error: weights: expected a checkpoint of restormer, got keys of another network (conv.weight, …)\n',
    ])
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
    const { code, stderr } = await run('tiny.safetensors', 'grey.safetensors')
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

  test('inspect tells the network, its options and its licence as JSON', async () => {
    const { code, stdout } = await limpid('inspect', at('tiny.safetensors'), '--json')
    expect(code).toBe(0)
    const { model, options, license } = JSON.parse(stdout)
    expect([model, options.dim]).toEqual(['restormer', 8])
    expect(license).toContain('non-commercial')
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
    ['an unknown model', ['models', 'show', 'x'], /model: expected one of restormer-derain,/],
    ['an unknown backend', ['restore', 'x.png', '--backend', 'tf'], /Allowed choices are auto, onnx, torch/],
  ])('%s is wrong usage', async (_, args, message) => {
    const { code, stderr, stdout } = await limpid(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
  })

  test('help and version are no failures', async () => {
    const [help, version] = await Promise.all([limpid('--help'), limpid('--version')])
    expect([help.code, version.code]).toEqual([0, 0])
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})
