// Finding, installing and building with fake folders and programs: no network, no real libtorch.

import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cacheFolder } from '../src/files/cacheFolder.ts'
import { type BuildRecord, hashSources, remember, stampOf } from './cache.ts'
import { findLibtorch, librarySuffix } from './libtorch.ts'
import { diagnose, loadAddon } from './load.ts'
import { buildAddon, findCompiler, installLibtorch } from './setup.ts'

const environment = { ...process.env }
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'limpid-setup-'))
  for (const name of Object.keys(process.env)) if (name.startsWith('PIP_')) delete process.env[name]
  for (const name of ['LIBTORCH', 'VIRTUAL_ENV', 'CXX']) delete process.env[name]
  process.env.LIMPID_HOME = join(folder, 'home')
})

afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name]
  Object.assign(process.env, environment)
  rmSync(folder, { recursive: true })
})

function write(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

const newAbi = '_ZN3c105ErrorC1ENS_14SourceLocationENSt7__cxx1112basic_string'
const oldAbi = '_ZN3c105ErrorC1ENS_14SourceLocationESs'

function fakeLibtorch({
  version = '2.13.0',
  symbols = newAbi,
  root = join(folder, 'libtorch'),
} = {}): string {
  write(join(root, 'include', 'ATen', 'core', 'Tensor.h'), '')
  write(join(root, 'lib', `libtorch_cpu.${librarySuffix}`), '')
  write(join(root, 'lib', 'libc10.so'), `\0${symbols}\0`)
  write(join(root, 'build-version'), `${version}\n`)
  return root
}

/** Creates a program, on a PATH with only its folder and the system's. */
function fakeProgram(name: string, script: string): void {
  const path = write(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  process.env.PATH = `${join(folder, 'bin')}:/usr/bin:/bin`
}

const errorOf = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    return error as Error & { code: string }
  }
  throw new Error('nothing was thrown')
}

describe('finding libtorch', () => {
  it('uses the folder in LIBTORCH, with its version and C++ ABI', () => {
    process.env.LIBTORCH = fakeLibtorch({ version: '2.6.0+cpu', symbols: oldAbi })
    const { found } = findLibtorch()
    const expected = { origin: 'LIBTORCH', version: '2.6.0+cpu', hasCuda: false }
    expect(found).toMatchObject({ ...expected, cxx11Abi: process.platform === 'darwin' ? 1 : 0 })
  })

  it.each([
    ['a version that is too old', () => fakeLibtorch({ version: '1.13.1' }), 'version 1.13.1 is too old'],
    [
      'a version that is older than 2.6',
      () => fakeLibtorch({ version: '2.5.1+cu121' }),
      '2.5.1+cu121 is too old',
    ],
    ['a version that is too new', () => fakeLibtorch({ version: '2.14.0' }), 'version 2.14.0 is too new'],
    ['a missing folder', () => join(folder, 'nowhere'), 'no such folder'],
    ['a folder without headers', () => dirname(write(join(folder, 'x', 'y'), '')), 'no headers'],
  ])('rejects %s in LIBTORCH without a fallback', (_, make, reason) => {
    process.env.LIBTORCH = make()
    const { code, message } = errorOf(findLibtorch)
    expect([code, message]).toEqual(['environment', expect.stringContaining(reason)])
    expect(message).toContain(process.env.LIBTORCH)
  })

  it('asks Python where its torch is, without importing it', () => {
    const root = fakeLibtorch({ root: join(folder, 'site-packages', 'torch') })
    write(join(root, 'version.py'), "__version__ = '2.9.1+cpu'\n")
    fakeProgram('python3', `echo ${root}`)
    expect(findLibtorch().found).toMatchObject({ origin: 'python', version: '2.9.1+cpu' })
  })

  it('skips an unusable Python package, reports the reason, and uses the cached one', () => {
    fakeProgram('python3', `echo ${fakeLibtorch({ version: '2.0.0' })}`)
    fakeProgram('python', 'exit 1')
    fakeLibtorch({ root: join(cacheFolder(), 'libtorch-2.13.0', 'torch') })
    const { found, tried } = findLibtorch()
    expect(found).toMatchObject({ origin: 'cache', version: '2.13.0' })
    expect(tried.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('version 2.0.0 is too old'),
      'no torch package',
    ])
  })
})

describe('installing libtorch', () => {
  // A fake `python3 -m pip`: logs its arguments, and installs if they match `succeeds`.
  const fakePip = (config: string, succeeds: string) => {
    const log = join(folder, 'log')
    const source = fakeLibtorch()
    fakeProgram(
      'python3',
      `echo "$*" >> ${log}
      case "$*" in
        *"config list"*) echo "${config}";;
        ${succeeds}) mkdir -p "$5" && cp -r ${source} "$5/torch";;
        *) echo "ERROR: no network"; exit 1;;
      esac`,
    )
    return () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line.includes('install'))
  }

  it('prefers the CPU build if pip has no configured index', async () => {
    const installs = fakePip('', '*install*')
    expect(await installLibtorch()).toMatchObject({ origin: 'cache', version: '2.13.0' })
    const onLinux = process.platform === 'linux' && process.arch === 'x64'
    expect(installs()[0]?.includes('--index-url https://download.pytorch.org/whl/cpu')).toBe(onLinux)
    expect(readdirSync(cacheFolder())).toEqual(['libtorch-2.13.0'])
  })

  it('uses only the configured index if there is one', async () => {
    const installs = fakePip("global.index-url='https://example.org/simple'", '*install*')
    await installLibtorch()
    expect(installs()).toHaveLength(1)
    expect(installs()[0]).not.toContain('--index-url')
  })

  it('leaves nothing behind and reports the reason if pip fails', async () => {
    fakePip('', 'nothing')
    await expect(installLibtorch()).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringMatching(/pip install torch==2\.13\.0 failed: ERROR: no network; .*LIBTORCH/),
    })
    expect(readdirSync(cacheFolder())).toEqual([])
  })

  it('asks for Python if there is none', async () => {
    process.env.PATH = ''
    await expect(installLibtorch()).rejects.toThrow('found none; install python3 with pip, or set LIBTORCH')
  })
})

describe('building the addon', () => {
  it('asks for a compiler if there is none', () => {
    process.env.PATH = ''
    expect(errorOf(findCompiler)).toMatchObject({
      code: 'environment',
      message: expect.stringContaining('g++'),
    })
    process.env.CXX = 'no-such-compiler -O3'
    expect(errorOf(findCompiler).message).toContain("CXX names the compiler 'no-such-compiler'")
  })

  it('reads the compiler and its options from CXX', () => {
    process.env.CXX = `${process.execPath} -m32`
    expect(findCompiler()).toEqual([process.execPath, '-m32'])
  })

  it("reports the compiler's first errors and leaves nothing behind if a source does not compile", async () => {
    process.env.LIBTORCH = fakeLibtorch()
    fakeProgram(
      'broken',
      `printf 'addon.cc: In function f:\\nfatal error: %s.h: no such file\\n' a b c d e f >&2; exit 1`,
    )
    process.env.CXX = 'broken'
    const error = await buildAddon(findLibtorch().found!).then(String, (reason: Error) => reason.message)
    expect(error).toContain('set CXX to another C++20 compiler')
    expect(error.split('\n').slice(1)).toEqual(
      ['a', 'b', 'c', 'd', 'e'].map((x) => `fatal error: ${x}.h: no such file`),
    )
    expect(readdirSync(cacheFolder())).toEqual([])
  })

  it('compiles once for the same sources, libtorch and flags, and again for others', async () => {
    process.env.LIBTORCH = fakeLibtorch()
    const log = join(folder, 'log')
    // Creates the file after -o, which is always the last argument.
    fakeProgram('compiler', `echo "$*" >> ${log}; for last; do :; done; : > "$last"`)
    process.env.CXX = 'compiler'
    const compiled = () => readFileSync(log, 'utf8').split('\n').length - 1
    const addon = await buildAddon(findLibtorch().found!)
    const once = compiled()
    expect(await buildAddon(findLibtorch().found!)).toBe(addon)
    expect(compiled()).toBe(once)
    // Another project, with headers of Node in a folder of its own.
    const headers = createRequire(import.meta.url)('node-api-headers') as { include_dir: string }
    const { include_dir: before } = headers
    headers.include_dir = join(folder, 'project', 'node_modules', 'node-api-headers', 'include')
    expect(await buildAddon(findLibtorch().found!)).toBe(addon)
    headers.include_dir = before
    expect(compiled()).toBe(once)
    fakeLibtorch({ version: '2.12.0' })
    expect(await buildAddon(findLibtorch().found!)).not.toBe(addon)
    expect(compiled()).toBe(2 * once)
    expect(readFileSync(log, 'utf8')).toContain('-D_GLIBCXX_USE_CXX11_ABI=1')
  })
})

describe('loading the addon', () => {
  const record = (changes: Partial<BuildRecord> = {}): BuildRecord => {
    const root = fakeLibtorch()
    const library = join(root, 'lib', `libtorch_cpu.${librarySuffix}`)
    const addon = write(join(folder, 'limpid.node'), 'no library')
    const known = { addon, sources: hashSources(), libtorch: root, version: '2.13.0', library }
    return { ...known, libraryStamp: stampOf(library), ...changes }
  }

  it('names the next step if nothing was built', () => {
    const { code, message } = errorOf(loadAddon)
    expect([code, message]).toEqual([
      'environment',
      expect.stringMatching(/not been built; run `limpid setup`$/),
    ])
  })

  it.each([
    ['other sources', { sources: 'old' }, 'built from other sources'],
    ['a libtorch that was replaced', { libraryStamp: '1-2' }, 'was replaced'],
    ['a libtorch that is gone', { library: '/nowhere/libtorch_cpu.so' }, 'is gone'],
    ['a file that is not a library', {}, 'cannot be loaded'],
  ])('explains an addon built from or for %s', (_, changes, reason) => {
    remember(record(changes))
    const { code, message } = errorOf(loadAddon)
    expect([code, message]).toEqual(['environment', expect.stringContaining(reason)])
    expect(message).toContain('limpid.node')
    expect(message).toContain('run `limpid setup`')
  })

  it('does not use an addon for a libtorch other than LIBTORCH', () => {
    remember(record())
    process.env.LIBTORCH = fakeLibtorch({ root: join(folder, 'other') })
    expect(errorOf(loadAddon).message).toContain(`not for LIBTORCH=${process.env.LIBTORCH}`)
  })
})

describe('diagnose', () => {
  const stateOf = (name: string) => diagnose().find(({ check }) => check === name)

  it('reports everything missing on an empty machine, with a fix for each', () => {
    process.env.PATH = ''
    for (const name of ['C++ compiler', 'Python', 'libtorch', 'addon built']) {
      expect(stateOf(name)).toMatchObject({ state: 'missing', fix: expect.stringMatching(/install|setup/) })
    }
    expect(stateOf('Node.js')?.state).toBe('ok')
  })

  it('reports a wrong LIBTORCH and an addon that does not load', () => {
    process.env.LIBTORCH = join(folder, 'nowhere')
    expect(stateOf('libtorch')).toMatchObject({
      state: 'wrong',
      detail: expect.stringContaining('no such folder'),
    })
    const root = fakeLibtorch()
    process.env.LIBTORCH = root
    const library = join(root, 'lib', `libtorch_cpu.${librarySuffix}`)
    const addon = write(join(folder, 'limpid.node'), 'no library')
    const known = { addon, sources: hashSources(), libtorch: root, version: '2.13.0', library }
    remember({ ...known, libraryStamp: stampOf(library) })
    expect(stateOf('addon loads')).toMatchObject({ state: 'wrong', fix: 'run `limpid setup`' })
  })
})
