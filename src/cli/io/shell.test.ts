import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  formatProgress,
  formatSeconds,
  plural,
  printNotes,
  printPaths,
  printResult,
  reportError,
  reporter,
} from './shell.ts'

test.each([
  [0.04, '0.0 s'],
  [59.94, '59.9 s'],
  [59.96, '1 min 00 s'],
  [119.7, '2 min 00 s'],
  [185, '3 min 05 s'],
])('%d seconds are shown as %s', (seconds, shown) => {
  expect(formatSeconds(seconds)).toBe(shown)
})

test('progress tells what is done and what is left', () => {
  expect(formatProgress(0, 4, performance.now())).toBe('0/4, 0.0 s')
  expect(formatProgress(1, 4, performance.now() - 10_000)).toBe('1/4, 10.0 s, 30.0 s left')
})

test.each([
  [0, '0 pictures'],
  [1, '1 picture'],
  [2, '2 pictures'],
])('%d is counted as %s', (count, words) => {
  expect(plural(count, 'picture')).toBe(words)
})

describe('text of strangers', () => {
  const hostile = 'a\u001b[2J\u009b31m\u202e\n.png'
  const written: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' }

  function onTerminal(isTerminal: boolean): void {
    for (const name of ['stdout', 'stderr'] as const) {
      written[name] = ''
      vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
        written[name] += chunk
        return true
      })
      Object.defineProperty(process[name], 'isTTY', { value: isTerminal, configurable: true })
    }
  }
  const before = [process.stdout.isTTY, process.stderr.isTTY]
  afterEach(() => {
    vi.restoreAllMocks()
    for (const [i, name] of (['stdout', 'stderr'] as const).entries())
      Object.defineProperty(process[name], 'isTTY', { value: before[i], configurable: true })
  })

  test('reaches a pipe on stdout as it is, and a terminal escaped', () => {
    onTerminal(false)
    printPaths([hostile])
    printResult({}, {}, hostile)
    expect(written.stdout).toBe(`${hostile}\n${hostile}\n`)
    onTerminal(true)
    printPaths([hostile])
    printResult({}, {}, `ok  ${hostile}\u001b[31m`, { hasMarks: true })
    const escaped = 'a\\x1b[2J\\x9b31m\\u202e'
    expect(written.stdout).toBe(`${escaped}\\x0a.png\n\u001b[32mok\u001b[39m  ${escaped}\n.png\\x1b[31m\n`)
  })

  test('is the same in a document, whose JSON controls no terminal', () => {
    onTerminal(true)
    printResult({ json: true }, { [hostile]: hostile }, '')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what is looked for
    expect(written.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u0080-\u009f\u202e]/)
    expect(JSON.parse(written.stdout)).toEqual({ [hostile]: hostile })
  })

  test('is escaped on stderr, in errors of any kind, their stacks and progress', () => {
    onTerminal(false)
    const error = new Error(hostile, { cause: new Error(hostile) })
    expect(reportError(error, { verbose: true })).toBe(1)
    printNotes(hostile, [hostile])
    reporter({}).show(hostile)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what is looked for
    expect(written.stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u0080-\u009f\u202e]/)
    expect(written.stderr.match(/a\\x1b\[2J/g)!.length).toBeGreaterThan(5)
  })
})
