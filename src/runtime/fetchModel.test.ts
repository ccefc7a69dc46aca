// Fetching by name: the files must be what the name promises, and models are found by it afterwards.

import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { hashFile, writeSafetensors } from '../checkpoints/files.ts'
import { Dncnn, dncnnDefaults } from '../models/dncnn/dncnn.ts'
import { Drunet, drunetDefaults } from '../models/drunet/drunet.ts'
import { randomInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { fetchModel } from './fetchModel.ts'
import { adviseFetched, resolveModel } from './resolveModel.ts'
import { createRestorer } from './restorer.ts'

const scratch = mkdtempSync(join(tmpdir(), 'limpid-fetch-model-'))
const dncnn = join(scratch, 'dncnn.safetensors')
const drunet = join(scratch, 'drunet.safetensors')
let folder = ''

beforeAll(() => {
  const init = randomInit(() => 0.4)
  const save = (path: string, network: object) =>
    writeSafetensors(path, new Map([...stateDict(network)].map(([key, tensor]) => [key, tensor.read()])))
  save(dncnn, new Dncnn(init, { ...dncnnDefaults, channels: 3, width: 4, layers: 4 }))
  save(drunet, new Drunet(init, { ...drunetDefaults, widths: [4, 4, 4, 4], blocks: 1 }))
})
beforeEach(() => {
  folder = mkdtempSync(join(scratch, 'models-'))
  vi.stubEnv('LIMPID_MODELS', folder)
})
afterEach(() => vi.unstubAllEnvs())
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** Puts a file where `limpid fetch` does, as if it had been fetched. */
function put(name: string, source = dncnn): void {
  copyFileSync(source, join(folder, name))
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ sha256: hashFile(source) }))
}

test('a model is found by its name once it has been fetched', async () => {
  const request = { model: 'dncnn-color-blind' }
  expect(() => resolveModel(request)).toThrow(
    /dncnn-color-blind: expected --weights FILE with the official file dncnn_color_blind\.pth, or those of `limpid fetch dncnn-color-blind` \(MIT License\)/,
  )
  const { name, files } = await fetchModel('dncnn-color-blind', { from: dncnn })
  expect(name).toBe('dncnn-color-blind')
  const path = join(folder, 'dncnn_color_blind.pth')
  expect(files).toEqual([
    { path, sizeBytes: readFileSync(dncnn).length, sha256: hashFile(dncnn), isNew: true },
  ])
  expect(resolveModel(request).weights).toBe(path)
  await using restorer = await createRestorer({ ...request, device: 'cpu', threads: 1 })
  const result = await restorer.run({ data: new Uint8Array(192), width: 8, height: 8, channels: 3 })
  expect(result.info).toMatchObject({ model: 'dncnn-color-blind', network: 'dncnn', sha256: hashFile(dncnn) })
  expect(restorer.license.title).toBe('MIT License')
})

test('a file that has changed is named when it is used, and fetched again', async () => {
  await fetchModel('dncnn-color-blind', { from: dncnn })
  const path = join(folder, 'dncnn_color_blind.pth')
  const bytes = readFileSync(path)
  bytes[bytes.length - 3] = 1 + (bytes.at(-3) ?? 0)
  writeFileSync(path, bytes)
  expect(() => resolveModel({ model: 'dncnn-color-blind' })).toThrow(
    `${path}: expected a file of sha256 ${hashFile(dncnn)}, as it was fetched, got ${hashFile(path)}; \`limpid fetch dncnn-color-blind\` fetches it again`,
  )
  const { files } = await fetchModel('dncnn-color-blind', { from: dncnn })
  expect(files[0]?.isNew).toBe(true)
  expect(resolveModel({ model: 'dncnn-color-blind' }).weights).toBe(path)
})

test.each([
  [
    'dncnn-color-blind',
    () => drunet,
    'expected weights of dncnn-color-blind, a network dncnn, got those of drunet',
  ],
  [
    'restormer-derain',
    () => dncnn,
    'expected weights of restormer-derain, a network restormer, got those of dncnn',
  ],
  ['fid', () => dncnn, 'expected a file of sha256 6726825d, got'],
  ['real-esrgan-x4plus', () => dncnn, 'expected a file of 67040989 bytes'],
  ['dasr-x2-iso', () => join(scratch, 'none.pt'), 'none.pt: no such file'],
])('%s: another file is refused, and nothing is kept', async (name, from, message) => {
  await expect(fetchModel(name, { from: from() })).rejects.toThrow(message)
  expect(readdirSync(folder)).toEqual([])
})

test.each([
  ['../../etc/passwd', {}, "unknown model to fetch '../../etc/passwd': expected one of"],
  ['real-esrgan-x4pls', {}, 'did you mean real-esrgan-x4plus'],
  ['real-esrgn', {}, 'did you mean real-esrgan-x'],
  ['file:///etc/passwd', {}, 'expected an address https://…, got the scheme file:'],
  ['https://me:secret@example.com/x.pth', {}, 'got one with a name or password'],
  ['https://example.com/x.pth', { sha256: 'abc' }, 'sha256: expected 64 hexadecimal digits, got abc'],
  ['fid', { sha256: '0'.repeat(64) }, 'sha256: expected an address https://… to fetch, got the name fid'],
  [
    'ipt-denoise-30',
    {},
    /in a shared drive, which https:\/\/github\.com\/huawei-noah.* links to; .*--from FILE/,
  ],
  [
    'daclip-universal',
    { from: 'https://example.com/x.pth' },
    'expected a folder of universal-ir.pth and daclip_ViT-B-32.pt',
  ],
  ['daclip-universal', { from: dncnn }, 'a folder of universal-ir.pth and daclip_ViT-B-32.pt'],
])('%s %j is refused before anything is asked', async (name, options, message) => {
  await expect(fetchModel(name, options)).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringMatching(message),
  })
})

describe('an address', () => {
  const server = createServer((_, response) => response.end(readFileSync(dncnn)))
  let address = ''
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a%2F..%2Fb/my%20network.pth?x=../y`
  })
  afterAll(() => server.close())
  beforeEach(() => vi.stubEnv('LIMPID_OFFLINE', ''))

  test('is kept under a safe name, where its file loads or its hash is given', async () => {
    const events: number[] = []
    const { files } = await fetchModel(address, { onProgress: ({ done }) => events.push(done) })
    const [file] = files
    expect(basename(file?.path ?? '')).toMatch(/^[0-9a-f]{8}-my_network\.pth$/)
    expect(events.at(-1)).toBe(file?.sizeBytes)
    expect(resolveModel({ weights: file?.path }).weights).toBe(file?.path)
    expect((await fetchModel(address, { sha256: hashFile(dncnn).toUpperCase() })).files[0]?.isNew).toBe(false)
  })

  test('with another hash than the given one is refused', async () => {
    await expect(fetchModel(address, { sha256: '0'.repeat(64) })).rejects.toThrow(
      /expected a file of sha256 0{64}, got/,
    )
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('the choice of a model', () => {
  test('names a fetched model that is better for the task, and takes it if asked', () => {
    const request = { task: 'denoise' }
    expect(adviseFetched(request, resolveModel(request))).toBeUndefined()
    put('drunet_color.pth', drunet)
    const resolved = resolveModel(request)
    expect(resolved.card?.id).toBe('light-photo')
    expect(adviseFetched(request, resolved)).toBe(
      'denoise: fetched --model drunet-color is better (28.51 dB, light-denoise 27.89 dB; CBSD68, RGB, 8-bit, sigma 50)',
    )
    const preferred = resolveModel({ ...request, prefer: 'fetched' })
    expect(preferred.weights).toBe(join(folder, 'drunet_color.pth'))
    expect(adviseFetched({ ...request, prefer: 'fetched' }, preferred)).toBeUndefined()
    expect(adviseFetched({ model: 'light-photo' }, resolveModel({ model: 'light-photo' }))).toBeUndefined()
    expect(resolveModel({ prefer: 'fetched' }).card?.id).toBe('light-photo')
  })

  test('takes non-commercial models by name alone', () => {
    put('motion_deblurring.pth')
    put('gaussian_color_denoising_blind.pth')
    expect(() => resolveModel({ task: 'deblur' })).toThrow(
      'deblur: expected --model restormer-motion-deblur, since its weights are for non-commercial use only, got no model; name it',
    )
    const named = resolveModel({ model: 'restormer-motion-deblur' })
    expect(named.weights).toBe(join(folder, 'motion_deblurring.pth'))
    const request = { task: 'denoise', prefer: 'fetched' } as const
    const resolved = resolveModel(request)
    expect(resolved.card?.id).toBe('light-photo')
    expect(adviseFetched(request, resolved)).toMatch(
      /--model restormer-denoise-color-blind is better \(31\.78 dB, light-denoise 31\.14 dB; .*\); for non-commercial use only$/,
    )
    put('drunet_color.pth', drunet)
    expect(resolveModel(request).card?.id).toBe('drunet-color')
  })
})

test('an unknown option is named', async () => {
  await expect(fetchModel('fid', { form: 'x' } as object)).rejects.toThrow(
    "unknown option of fetchModel 'form'",
  )
})

test('nothing was written outside', () => {
  expect(existsSync(join(tmpdir(), 'limpid-no-models'))).toBe(false)
})
