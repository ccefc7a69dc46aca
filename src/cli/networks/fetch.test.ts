import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { limpid } from '../../../test/limpid.ts'
import { writeSafetensors } from '../../checkpoints/files.ts'
import { Dncnn, dncnnDefaults } from '../../models/dncnn/dncnn.ts'
import { randomInit } from '../../nn/init.ts'
import { stateDict } from '../../nn/module.ts'

const scratch = mkdtempSync(join(tmpdir(), 'limpid-fetch-command-'))
const weights = join(scratch, 'mine.safetensors')
const photo = join(scratch, 'photo.png')
const folder = join(scratch, 'models')

beforeAll(async () => {
  const network = new Dncnn(
    randomInit(() => 0.4),
    { ...dncnnDefaults, channels: 3, width: 4, layers: 4 },
  )
  writeSafetensors(weights, new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
  await sharp({ create: { width: 16, height: 16, channels: 3, background: 'gray' } }).toFile(photo)
})
beforeEach(() => vi.stubEnv('LIMPID_MODELS', folder))
afterEach(() => vi.unstubAllEnvs())
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test('without the network, nothing is asked', async () => {
  const { code, stderr } = await limpid('fetch', 'fid')
  expect(code).toBe(3)
  expect(stderr).toBe(
    'error: pt_inception-2015-12-05-6726825d.pth: cannot be fetched while LIMPID_OFFLINE is set; unset it, or pass a file with --from FILE\n',
  )
})

test('license and size are shown, and without a terminal --yes is required', async () => {
  vi.stubEnv('LIMPID_OFFLINE', '')
  const { code, stdout, stderr } = await limpid('fetch', 'real-esrgan-x4plus', '4x-remacri')
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toContain(
    'by Xintao Wang et al., from github.com; 67 MB\n  BSD 3-Clause License. Free for any use',
  )
  expect(stderr).toContain('CC BY-NC-SA 4.0. For non-commercial use only')
  expect(stderr).toContain('fetch: expected --yes where no terminal can ask')
})

test('a fetched model is listed, used by its name, and removed', { timeout: 120_000 }, async () => {
  const fetched = await limpid('fetch', 'dncnn-color-blind', '--from', weights, '--yes')
  const path = join(folder, 'dncnn_color_blind.pth')
  expect(fetched).toMatchObject({ code: 0, stdout: `${path}\n` })
  expect(fetched.stderr).toContain('use it: limpid restore photo.jpg --model dncnn-color-blind')
  const listed = JSON.parse((await limpid('models', '--available', '--task', 'denoise', '--json')).stdout)
  const one = listed.models.find(({ id }: { readonly id: string }) => id === 'dncnn-color-blind')
  expect(one).toMatchObject({ isFetched: true, license: 'mit', network: 'dncnn', author: 'Kai Zhang et al.' })
  expect(listed.models.every(({ task }: { readonly task: string }) => task === 'denoise')).toBe(true)
  const restored = await limpid('restore', photo, '--model', 'dncnn-color-blind', '--device', 'cpu')
  expect(restored).toMatchObject({ code: 0, stdout: `${join(scratch, 'photo_restored.png')}\n` })
  expect((await limpid('fetch')).stdout).toMatch(/dncnn_color_blind\.pth {2}\(dncnn-color-blind\)\n.* in /)
  expect((await limpid('fetch', 'dncnn-color-blind', '--remove')).stdout).toMatch(
    /^dncnn-color-blind: removed \d+ kB\n$/,
  )
  expect(readdirSync(folder)).toEqual([])
})

test('a model that has not been fetched names the command', async () => {
  const { code, stderr } = await limpid('restore', photo, '--model', 'real-esrgan-x4plus')
  expect(code).toBe(2)
  expect(stderr).toContain('or those of `limpid fetch real-esrgan-x4plus` (67 MB, BSD 3-Clause License)')
})

test('`limpid models` tells which tasks gain by which fetch', async () => {
  const { stdout } = await limpid('models', '--task', 'denoise')
  expect(stdout).toMatch(
    /better than the package:\n(.*\n)?denoise {2}limpid fetch drunet-color .*28\.51 dB on CBSD68, RGB, 8-bit, sigma 50; light-denoise 27\.89 dB/,
  )
  expect(stdout).not.toContain('scunet-real')
})
