import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { RestoreError } from '../../core/errors.ts'
import { conclude, nameInput } from './conclude.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-conclude-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

/** What an action prints. */
function printed(action: () => void): { readonly stdout: string; readonly stderr: string } {
  const text = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    vi.spyOn(process[stream], 'write').mockImplementation((chunk) => {
      text[stream] += String(chunk)
      return true
    })
  action()
  return text
}

test.each([
  ['usage', 'output: expected a format with transparency', 'in/a.png: expected a format with transparency'],
  ['memory', 'compute: the process ran out of memory', 'in/a.png: the process ran out of memory'],
  ['input', 'in/a.png: no such file', 'in/a.png: no such file'],
  ['output', 'out/a.png: cannot be written', 'in/a.png: out/a.png: cannot be written'],
] as const)('an error of code %s, %j, names its input', (code, message, named) => {
  expect(nameInput(new RestoreError(code, message), 'in/a.png')).toMatchObject({ code, message: named })
})

test('an error that nobody expected is a crash of its input', () => {
  expect(nameInput(new TypeError('x is not a function'), 'a.png')).toMatchObject({
    code: 'crash',
    message: 'a.png: x is not a function',
  })
})

const failed = ['a.png', 'b\u001b[2J\n.png'].map((path) => ({
  path,
  error: new RestoreError('input', 'expected more'),
}))
const conclusion = { document: { results: [] }, text: '', failed, total: 3, isMany: true }

test('each failure is printed once, in a line of its own, and has its entry in document and report', () => {
  const report = join(dir, 'report.json')
  const { stdout, stderr } = printed(() => conclude({ json: true, report }, conclusion))
  expect(stderr).toBe(
    '2 of 3 pictures failed:\n  a.png: expected more\n  b\\x1b[2J\\x0a.png: expected more\n',
  )
  expect(process.exitCode).toBe(1)
  for (const text of [stdout, readFileSync(report, 'utf8')])
    expect(JSON.parse(text)).toEqual({
      results: [],
      failures: [
        { input: 'a.png', code: 'input', message: 'a.png: expected more' },
        { input: 'b\u001b[2J\n.png', code: 'input', message: 'b\\x1b[2J\n.png: expected more' },
      ],
    })
})

test('a single input fails as its error does, after the document', () => {
  const one = { ...conclusion, failed: failed.slice(0, 1), total: 1, isMany: false }
  const { stdout, stderr } = printed(() => {
    expect(() => conclude({ json: true }, one)).toThrow('a.png: expected more')
  })
  expect(JSON.parse(stdout).failures).toHaveLength(1)
  expect(stderr).toBe('')
})

test('a report that cannot be written hides no failure', () => {
  const report = join(dir, 'none', 'x'.repeat(300))
  const { stderr } = printed(() => {
    expect(() => conclude({ report }, conclusion)).toThrow('the name is too long')
    expect(() => conclude({ report }, { ...conclusion, isMany: false })).toThrow('a.png: expected more')
  })
  expect(stderr).toContain('2 of 3 pictures failed:')
})
