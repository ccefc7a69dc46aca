// Checks the guides: commands parse, examples type-check, links resolve, tables are up to date.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Command } from 'commander'
import ts from 'typescript'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { modelsPage } from '../scripts/modelsTable.ts'
import { errorCodes } from '../src/core/errors.ts'
import { parseChain } from '../src/degrade/chain.ts'
import { degradations } from '../src/degrade/degradationTable.ts'
import { factsOf, networkMetrics } from '../src/metrics/evaluate.ts'
import { metrics } from '../src/metrics/metrics.ts'
import { findProtocol } from '../src/metrics/protocols.ts'
import { iptDefaults, iptTasks } from '../src/models/ipt/ipt.ts'
import { autoTask } from '../src/models/tasks.ts'
import { findCard, findTask } from '../src/registry/cards.ts'
import * as train from '../src/train.ts'

const pages = [
  'README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

interface Block {
  readonly page: string
  readonly line: number
  readonly text: string
}

/** Fenced code blocks of a language. */
function blocksOf(page: string, language: string): readonly Block[] {
  const text = readFileSync(page, 'utf8')
  const fence = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms')
  return [...text.matchAll(fence)].map((match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length + 1,
    text: match[1] ?? '',
  }))
}

/** Splits a shell command into words, up to a pipe or redirection; understands quotes. */
function wordsOf(command: string): readonly string[] {
  const words = [...command.matchAll(/'([^']*)'|"([^"]*)"|([|<>;&])|([^\s'"|<>;&]+)/g)]
  const end = words.findIndex(([, , , operator]) => operator !== undefined)
  return words
    .slice(0, end < 0 ? undefined : end)
    .map(([, single, double, , bare]) => single ?? double ?? bare ?? '')
}

/** Calls of limpid in a block, including `npm start`. */
function callsIn({ text }: Block): readonly string[] {
  return text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .flatMap((line) => line.split(' && '))
    .map((command) => command.trim().replace(/^npm start -- /, 'limpid '))
    .filter((command) => command.startsWith('limpid '))
}

type Options = Readonly<Record<string, unknown>>

/** Throws for values that commander accepts and the command itself rejects. */
function checkValues(options: Options): void {
  const { model, task, protocol, recipe } = options
  const checkIfSet = (value: unknown, check: (text: string) => unknown) =>
    typeof value === 'string' ? check(value) : undefined
  checkIfSet(model, findCard)
  const checkTask = (name: string) =>
    name === autoTask || iptTasks(iptDefaults).some((known) => known === name) || findTask(name)
  checkIfSet(task, (names) => names.split(',').map(checkTask))
  if (Array.isArray(options.metrics)) options.metrics.map(factsOf)
  checkIfSet(protocol, (name) => findProtocol(name, Number(/x(\d)/.exec(name)?.[1] ?? 4)))
  checkIfSet(options.with ?? options.degrade, parseChain)
  checkIfSet(recipe, (file) => expect(existsSync(file) || !file.startsWith('recipes/'), file).toBe(true))
}

describe('commands in the guides', () => {
  let program: Command

  beforeAll(async () => {
    const parse = vi.spyOn(Command.prototype, 'parseAsync').mockImplementation(async function (
      this: Command,
    ) {
      program = this
      return this
    })
    await import('../src/cli/main.ts')
    parse.mockRestore()
    const quiet = (command: Command): void => {
      command.configureOutput({ writeErr: () => {}, writeOut: () => {} })
      if (command.commands.length === 0) {
        command.action(() => {
          const { processedArgs } = command
          checkValues({
            ...command.optsWithGlobals(),
            ...(command.name() === 'train' ? { recipe: processedArgs[0] } : {}),
            ...(command.name() === 'show' ? { model: processedArgs[0] } : {}),
          })
        })
      }
      command.commands.forEach(quiet)
    }
    quiet(program)
  })

  const calls = pages.flatMap((page) =>
    blocksOf(page, 'sh').flatMap((block) => callsIn(block).map((call) => [block.page, call] as const)),
  )

  test.each(calls)('%s: %s', async (_, call) => {
    await program.parseAsync(wordsOf(call).slice(1), { from: 'user' })
  })
})

test('examples in TypeScript type-check against the package', { timeout: 120_000 }, () => {
  const blocks = pages.flatMap((page) => blocksOf(page, 'ts'))
  const texts = new Map(blocks.map(({ page, line, text }) => [resolve(`${page}.${line}.mts`), text]))
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, process.cwd())
  const checked = { ...options, noEmit: true, noUnusedLocals: false, noUnusedParameters: false }
  const host = ts.createCompilerHost(checked)
  const { getSourceFile, fileExists, readFile } = host
  host.fileExists = (name) => texts.has(name) || fileExists(name)
  host.readFile = (name) => texts.get(name) ?? readFile(name)
  host.getSourceFile = (name, version, ...rest) => {
    const text = texts.get(name)
    return text === undefined
      ? getSourceFile.call(host, name, version, ...rest)
      : ts.createSourceFile(name, text, version)
  }
  const program = ts.createProgram([...texts.keys()], checked, host)
  const problems = [...texts.keys()].flatMap((name) => {
    const source = program.getSourceFile(name)
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
  })
  const messages = problems.map(({ file, start = 0, messageText }) => {
    const line = file?.getLineAndCharacterOfPosition(start).line ?? 0
    return `${file?.fileName} + ${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
  })
  expect(blocks.length).toBeGreaterThan(10)
  expect(messages).toEqual([])
})

/** Anchor of a heading, as GitHub generates it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

test.each(pages)('links in %s point to existing files and headings', (page) => {
  const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => to)
  const broken = links
    .filter((link) => !/^https?:/.test(link))
    .filter((link) => {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : join(dirname(page), path)
      if (!existsSync(target)) return true
      const headings = [...readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm)]
      return anchor !== undefined && !headings.some(([, heading = '']) => anchorOf(heading) === anchor)
    })
  expect(broken).toEqual([])
})

test('every degradation of `limpid degrade --list` is a function of limpid/train, in camel case', () => {
  const nameOf = (name: string) => name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  for (const [name, degradation] of Object.entries(degradations))
    expect(Reflect.get(train, nameOf(name)), name).toBe(degradation)
})

test.each(pages)('no blank line cuts a table of %s', (page) => {
  const lines = readFileSync(page, 'utf8').split('\n')
  const isRow = (i: number) => lines[i]?.startsWith('|')
  const cut = lines.filter((_, i) => isRow(i) && !isRow(i - 1) && !/^\|[ |:-]+\|$/.test(lines[i + 1] ?? ''))
  expect(cut).toEqual([])
})

test('every error code has a section', () => {
  const headings = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^## `(\w+)`/gm)]
  expect(headings.map(([, code]) => code)).toEqual(Object.keys(errorCodes))
})

test('every metric is documented', () => {
  const page = readFileSync('docs/evaluate.md', 'utf8')
  const names = [...Object.keys(metrics), ...Object.keys(networkMetrics)]
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
})

test('the index lists every page', () => {
  const index = readFileSync('docs/README.md', 'utf8')
  const missing = readdirSync('docs').filter(
    (name) => /\.(md|html)$/.test(name) && !index.includes(`(${name})`),
  )
  expect(missing).toEqual(['README.md'])
})

test('docs/models.md is up to date with `npm run models`', () => {
  expect(readFileSync('docs/models.md', 'utf8')).toBe(modelsPage())
})
