import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { writeSafetensors } from '../../checkpoints/files.ts'
import { float32Data } from '../../core/data.ts'
import { inspectCommand } from './checkpoints.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-inspect-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
afterEach(() => {
  vi.restoreAllMocks()
})

test('inspect shows keys and metadata on one line each, without control over the terminal', async () => {
  const hostile = 'a\u001b]0;title\u0007\nlicense  Free for any use\u009b2J'
  const file = join(dir, 'hostile.safetensors')
  const long = `long${'k'.repeat(5000)}`
  const tensors = [hostile, long].map((key) => [key, float32Data(Float32Array.of(1), [1])] as const)
  writeSafetensors(file, new Map(tensors), new Map([['title', hostile]]))
  let text = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += chunk
    return true
  })
  await inspectCommand(file, { keys: true })
  const lines = text.trimEnd().split('\n')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is looked for
  for (const line of lines) expect(line).not.toMatch(/[\u0000-\u001f\u0080-\u009f]/)
  expect(lines.filter((line) => line.startsWith('license'))).toHaveLength(0)
  expect(text).toContain('a\\x1b]0;title\\x07\\x0alicense')
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(1000)
})
