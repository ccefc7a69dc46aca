// Finds the headers and libraries of a supported libtorch on this machine.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { RestoreError } from '../src/core/errors.ts'
import { cacheFolder } from '../src/files/cacheFolder.ts'

/** A usable libtorch. */
export interface LibtorchFound {
  readonly origin: 'LIBTORCH' | 'python' | 'cache' | 'system'
  readonly root: string
  /** Folder with libtorch_cpu. */
  readonly lib: string
  readonly version: string
  readonly hasCuda: boolean
  /** Value of _GLIBCXX_USE_CXX11_ABI with which its libraries were compiled. */
  readonly cxx11Abi: 0 | 1
}

/** A place that was searched, and why nothing usable is there. */
interface Tried {
  readonly place: string
  readonly reason: string
}

export interface LibtorchSearch {
  readonly found?: LibtorchFound
  readonly tried: readonly Tried[]
}

const oldestMinor = 6
const newestMinor = 13
const supported = `2.${oldestMinor} to 2.${newestMinor}`
export const librarySuffix = process.platform === 'darwin' ? 'dylib' : 'so'

/**
 * Finds the first usable libtorch: a Python package, one in the cache folder, the
 * system's. If LIBTORCH is set, only that.
 */
export function findLibtorch(): LibtorchSearch {
  const { LIBTORCH } = process.env
  if (LIBTORCH) return { found: requested(LIBTORCH), tried: [] }
  const tried: Tried[] = []
  for (const { origin, place, root } of places()) {
    const result = root === undefined ? 'no torch package' : inspect(root, origin)
    if (typeof result !== 'string') return { found: result, tried }
    tried.push({ place, reason: result })
  }
  return { tried }
}

interface Place {
  readonly origin: LibtorchFound['origin']
  readonly place: string
  readonly root?: string
}

// An explicit folder has no fallback.
function requested(root: string): LibtorchFound {
  const result = inspect(root, 'LIBTORCH')
  if (typeof result !== 'string') return result
  throw new RestoreError(
    'environment',
    `LIBTORCH=${root}: expected the folder of libtorch ${supported} with include and lib, but ${result}; correct LIBTORCH or unset it`,
  )
}

function* places(): Generator<Place> {
  for (const python of pythons()) {
    const root = torchPackageOf(python)
    yield { origin: 'python', place: root ?? python, ...(root === undefined ? {} : { root }) }
  }
  for (const root of installed()) yield { origin: 'cache', place: root, root }
  for (const root of ['/usr', '/usr/local']) {
    if (existsSync(join(root, 'include', 'torch')))
      yield { origin: 'system', place: join(root, 'include', 'torch'), root }
  }
}

/** Python interpreters to query, the active environment's first. */
export function pythons(): string[] {
  const { VIRTUAL_ENV } = process.env
  const candidates = VIRTUAL_ENV ? [join(VIRTUAL_ENV, 'bin', 'python')] : []
  return [
    ...new Set([...candidates, 'python3', 'python'].map(findProgram).filter((path) => path !== undefined)),
  ]
}

/** Path of a program, searched like a shell does. */
export function findProgram(name: string): string | undefined {
  if (name.includes('/')) return existsSync(name) ? name : undefined
  const folders = (process.env.PATH ?? '').split(':').filter((folder) => folder !== '')
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

// Importing torch takes seconds; finding it does not.
const locate =
  'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s and s.origin else "")'

function torchPackageOf(python: string): string | undefined {
  const { stdout, status } = spawnSync(python, ['-c', locate], {
    encoding: 'utf8',
    cwd: '/',
    timeout: 30_000,
  })
  const root = status === 0 ? stdout.trim() : ''
  return root === '' ? undefined : root
}

function installed(): string[] {
  const cache = cacheFolder()
  if (!existsSync(cache)) return []
  const folders = readdirSync(cache).filter((name) => /^libtorch-[\d.]+$/.test(name))
  return folders
    .sort()
    .reverse()
    .map((name) => join(cache, name, 'torch'))
}

/** Inspects a libtorch folder; returns the reason if it cannot be used. */
export function inspect(root: string, origin: LibtorchFound['origin']): LibtorchFound | string {
  if (!existsSync(root)) return 'no such folder'
  if (!existsSync(join(root, 'include', 'ATen', 'core', 'Tensor.h')))
    return 'no headers (include/ATen/core/Tensor.h)'
  const library = `libtorch_cpu.${librarySuffix}`
  const lib = libraryFolders(root).find((folder) => existsSync(join(folder, library)))
  if (lib === undefined) return `no ${library} in lib`
  const version = versionOf(root)
  if (version === undefined) return 'its version cannot be read'
  const [major, minor] = version.split('.').map(Number)
  if (major !== 2 || minor === undefined || !(minor >= oldestMinor))
    return `version ${version} is too old, expected ${supported}`
  if (minor > newestMinor) return `version ${version} is too new, expected ${supported}`
  const cxx11Abi = abiOf(lib)
  if (cxx11Abi === undefined) return 'the C++ ABI of its libc10 cannot be recognized'
  const hasCuda = existsSync(join(lib, `libtorch_cuda.${librarySuffix}`))
  return { origin, root: realpathSync(root), lib: realpathSync(lib), version, hasCuda, cxx11Abi }
}

function libraryFolders(root: string): string[] {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
  return [join(root, 'lib'), join(root, 'lib', `${machine}-linux-gnu`), join(root, 'lib64')]
}

const headerVersion = (text: string) => {
  const part = (name: string) => new RegExp(`TORCH_VERSION_${name}\\s+(\\d+)`).exec(text)?.[1]
  return part('MAJOR') === undefined ? undefined : `${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}`
}

function versionOf(root: string): string | undefined {
  const sources: [file: string, parse: (text: string) => string | undefined][] = [
    ['version.py', (text) => /__version__ = '([^']+)'/.exec(text)?.[1]],
    ['build-version', (text) => text.trim()],
    ['include/torch/headeronly/version.h', headerVersion],
    ['include/torch/csrc/api/include/torch/version.h', headerVersion],
  ]
  for (const [file, parse] of sources) {
    const path = join(root, file)
    const version = existsSync(path) ? parse(readFileSync(path, 'utf8')) : undefined
    if (version !== undefined) return version
  }
  return undefined
}

// The mangled name of c10::Error's constructor reveals the std::string ABI of the libraries.
function abiOf(lib: string): 0 | 1 | undefined {
  if (process.platform === 'darwin') return 1
  const path = join(lib, 'libc10.so')
  if (!existsSync(path)) return undefined
  const symbols = readFileSync(path)
  if (symbols.includes('_ZN3c105ErrorC1ENS_14SourceLocationENSt7__cxx11')) return 1
  return symbols.includes('_ZN3c105ErrorC1ENS_14SourceLocationESs') ? 0 : undefined
}
