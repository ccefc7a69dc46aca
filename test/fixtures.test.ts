import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { libtorchMissing } from './libtorch.ts'
import { builtModule, runNode } from './limpid.ts'

const fixtures = (...args: string[]) => runNode(builtModule('test/fixtures/main'), ...args)

const shared = join(process.cwd(), '..', 'shared', 'fixtures')
const backend = libtorchMissing === undefined ? 'all' : 'onnx'

test('the stored official values agree on every backend', { timeout: 120_000 }, async () => {
  const { code, stdout } = await fixtures('--dir', 'test/golden/fixtures', '--backend', backend)
  expect(stdout.split('\n').filter((line) => /^(FAIL|skip)/.test(line))).toEqual([])
  expect(stdout).toMatch(
    libtorchMissing === undefined
      ? /\n40 passed, 0 failed, 0 skipped\n$/
      : /\n21 passed, 0 failed, 0 skipped\n$/,
  )
  expect(code).toBe(0)
})

test.skipIf(!existsSync(shared))('all further official values agree', { timeout: 240_000 }, async () => {
  const { code, stdout } = await fixtures('--backend', backend)
  expect(stdout.split('\n').filter((line) => line.startsWith('FAIL'))).toEqual([])
  expect(code).toBe(0)
})

test('an unknown backend or folder is wrong usage', async () => {
  expect(await fixtures('--backend', 'tf')).toMatchObject({ code: 2, stdout: '' })
  expect((await fixtures('--dir', 'nowhere')).stderr).toContain('nowhere does not exist')
})
