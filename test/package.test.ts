// The package as npm packs it: all that it needs, and nothing else.

import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageFolder } from '../src/data/packageFiles.ts'

const root = packageFolder()
const run = promisify(execFile)

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>
  readonly dependencies: Readonly<Record<string, string>>
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

/** Started by their path. */
const started = [
  'dist/src/cli/main.js',
  'dist/src/cli/program.js',
  'dist/src/bundle/cli/program.js',
  'dist/src/bundle/runtime/session/computeProcess.js',
  'dist/src/bundle/worker/main.js',
  'dist/src/bundle/worker/runner.js',
  'dist/src/worker/main.js',
  'dist/src/worker/looker.js',
  'dist/src/metrics/poolWorker.js',
  'dist/src/train/loader/worker.js',
]

/** Files that a module imports by relative paths. */
function importsOf(file: string): readonly string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), 'utf8'), true, true)
  return importedFiles
    .filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => join(dirname(file), fileName))
}

describe.skipIf(!existsSync(join(root, 'dist', 'src', 'bundle')))('the package', () => {
  let files: readonly string[] = []
  const scratch = mkdtempSync(join(tmpdir(), 'limpid-package-'))

  beforeAll(async () => {
    const args = ['pack', '--dry-run', '--ignore-scripts', '--json']
    const { stdout } = await run('npm', args, { cwd: root, maxBuffer: 2 ** 24 })
    const [packed] = JSON.parse(stdout) as readonly { readonly files: readonly { readonly path: string }[] }[]
    files = packed?.files.map(({ path }) => path) ?? []
  }, 180_000)
  afterAll(() => rmSync(scratch, { recursive: true, force: true }))

  test('holds every module that another one imports, and no other of its programs', () => {
    const entries = Object.values(manifest.exports)
      .flatMap((target) => (typeof target === 'string' ? [] : [join(target.default)]))
      .concat(started)
    const isRoot = (file: string) => entries.includes(file) || file.startsWith('dist/bench/sides/')
    const modules = files.filter((file) => /^(dist\/.*\.js|recipes\/.*\.ts)$/.test(file))
    expect(entries.filter((file) => !modules.includes(file))).toEqual([])

    const reached = new Set(modules.filter((file) => isRoot(file) || file.startsWith('recipes/')))
    const missing: string[] = []
    for (const file of reached) {
      for (const imported of importsOf(file)) {
        if (modules.includes(imported)) reached.add(imported)
        else missing.push(`${file} → ${imported}`)
      }
    }
    const isProgram = (file: string) => /^dist\/(src\/cli|bench)\//.test(file)
    expect(modules.filter((file) => isProgram(file) && !reached.has(file))).toEqual([])
    // Outside the bundle, only `train` runs.
    const commands = missing.filter((edge) => edge.startsWith('dist/src/cli/buildProgram.js → '))
    expect(missing.filter((edge) => !commands.includes(edge))).toEqual([])
    expect(commands.some((edge) => edge.endsWith('/train.js'))).toBe(false)
  })

  test('holds no tests, reference pages, or other files for work on Limpid', () => {
    expect(
      files.filter((file) =>
        /\.test\.|^docs\/.*\.html$|tsbuildinfo|^(test|scripts|docs\/api|app|dist\/app\/weights)\//.test(file),
      ),
    ).toEqual([])
    expect(files).toContain('weights/light-photo.safetensors')
  })

  test('can be imported without its optional packages, and says which one is missing', async () => {
    const modules = join(scratch, 'node_modules')
    const installed = join(modules, 'limpid')
    for (const file of files.filter((name) => /^dist\/|^package.json$/.test(name))) {
      mkdirSync(dirname(join(installed, file)), { recursive: true })
      cpSync(join(root, file), join(installed, file))
    }
    for (const folder of ['weights', 'assets']) symlinkSync(join(root, folder), join(installed, folder))
    for (const name of Object.keys(manifest.dependencies)) {
      mkdirSync(dirname(join(modules, name)), { recursive: true })
      symlinkSync(join(root, 'node_modules', name), join(modules, name))
    }
    const program = `
      import { createRestorer, decodeImage } from 'limpid'
      import 'limpid/train'
      const said = (promise) => promise.then(() => 'no error', (error) => error.code + ' ' + error.message)
      const data = new Uint8Array(3)
      const restore = async () => (await createRestorer({ device: 'cpu' })).run({ data, width: 1, height: 1, channels: 3 })
      console.log(await said(decodeImage('${join(root, 'examples', 'noisy.jpg')}')))
      console.log(await said(restore()))
      process.exit()
    `
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: scratch })
    const lines = stdout.trim().split('\n')
    const advice = 'reinstall limpid on this machine: ONNXRUNTIME_NODE_INSTALL=skip npm i limpid'
    for (const [i, name] of ['sharp', 'onnxruntime-node'].entries())
      expect(lines[i]).toMatch(new RegExp(`^environment .*${name}: cannot be loaded .*; ${advice}`))
  })
})
