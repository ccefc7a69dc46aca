// The program as built and shipped, which tests of the sources do not cover.

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageFolder } from '../src/data/packageFiles.ts'

const root = packageFolder()
const bundle = join(root, 'dist', 'src', 'bundle')
const run = promisify(execFile)
const built = (...args: readonly string[]) =>
  run(process.execPath, [join(root, 'dist', 'src', 'cli', 'main.js'), ...args])

describe.skipIf(!existsSync(bundle))('the built program', () => {
  let scratch = ''
  let photo = ''
  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'limpid-build-'))
    photo = join(scratch, 'photo.png')
    await sharp({ create: { width: 40, height: 24, channels: 3, background: '#808a70' } }).toFile(photo)
  })
  afterAll(() => rmSync(scratch, { recursive: true, force: true }))

  test('is JavaScript that this Node.js can parse', { timeout: 120_000 }, async () => {
    const files = readdirSync(bundle, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.js'),
    )
    expect(files.length).toBeGreaterThan(3)
    for (const name of files) await run(process.execPath, ['--check', join(bundle, name)])
  })

  test('restores, detects degradations and evaluates', async () => {
    const output = join(scratch, 'restored.png')
    expect((await built('restore', photo, '-o', output)).stdout.trim()).toBe(output)
    expect((await sharp(output).metadata()).width).toBe(40)
    const detected: unknown = JSON.parse((await built('detect', photo, '--json')).stdout)
    expect(detected).toMatchObject({ results: [{ input: photo }] })
    const request = [
      '--none',
      '--data',
      scratch,
      '--degrade',
      'noise:sigma=20',
      '--metrics',
      'psnr',
      '--json',
    ]
    const evaluated = await built('eval', ...request)
    expect(evaluated.stdout).toContain('psnr')
  })

  test('contains the benchmark sides and worker threads', () => {
    for (const name of ['bench/sides/onnxImage', 'src/metrics/poolWorker', 'src/train/loader/worker'])
      expect(existsSync(join(root, 'dist', `${name}.js`)), name).toBe(true)
  })
})
