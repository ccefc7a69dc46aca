// `limpid setup`: installs libtorch if there is none, and compiles the addon against it.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { RestoreError } from '../src/core/errors.ts'
import { cacheFolder } from '../src/files/cacheFolder.ts'
import { availableCores } from '../src/files/cores.ts'
import { hashSources, remember, removeLeftovers, sourceFolder, stampOf } from './cache.ts'
import { findProgram, inspect, type LibtorchFound, librarySuffix, pythons } from './libtorch.ts'

export interface SetupOptions {
  readonly onProgress?: (message: string) => void
}

const torchVersion = '2.13.0'
const nodeApiVersion = 8

interface Outcome {
  readonly ok: boolean
  readonly output: string
}

function run(program: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(program, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ ok: error === null, output: `${stdout}${stderr}` || (error?.message ?? '') })
    })
  })
}

/** Installs libtorch with pip into the cache folder, atomically; needs no virtual environment. */
export async function installLibtorch({ onProgress }: SetupOptions = {}): Promise<LibtorchFound> {
  const python = pythons()[0]
  if (python === undefined) {
    throw new RestoreError(
      'environment',
      'libtorch: expected Python 3 to install it, found none; install python3 with pip, or set LIBTORCH to an unpacked libtorch',
    )
  }
  const target = join(cacheFolder(), `libtorch-${torchVersion}`)
  const temporary = `${target}.${process.pid}.tmp`
  mkdirSync(cacheFolder(), { recursive: true })
  removeLeftovers()
  try {
    await pipInstall(python, temporary, onProgress)
    rmSync(target, { recursive: true, force: true })
    renameSync(temporary, target)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  const found = inspect(join(target, 'torch'), 'cache')
  if (typeof found === 'string')
    throw new RestoreError('environment', `libtorch: pip installed ${target}, but ${found}`)
  return found
}

async function pipInstall(
  python: string,
  target: string,
  onProgress?: (message: string) => void,
): Promise<void> {
  const install = (extra: readonly string[]) =>
    run(python, ['-m', 'pip', 'install', '--target', target, '--upgrade', ...extra, `torch==${torchVersion}`])
  // PyPI's package for Linux on x64 includes gigabytes of CUDA; PyTorch's own index has one without. A
  // configured index takes precedence.
  const prefersCpuIndex =
    process.platform === 'linux' && process.arch === 'x64' && !(await hasOwnIndex(python))
  if (prefersCpuIndex) {
    onProgress?.(`installing torch ${torchVersion} (CPU) with pip`)
    const cpu = await install(['--no-deps', '--index-url', 'https://download.pytorch.org/whl/cpu'])
    if (cpu.ok) return
  }
  onProgress?.(`installing torch ${torchVersion} with pip`)
  let result = await install(['--no-deps'])
  if (result.ok && existsSync(join(target, 'torch', 'lib', 'libtorch_cuda.so'))) {
    onProgress?.('installing the CUDA libraries that this torch needs')
    result = await install([])
  }
  if (!result.ok) {
    const reason = result.output
      .split('\n')
      .filter((line) => /error|no module/i.test(line))
      .slice(-3)
      .join(' ')
    throw new RestoreError(
      'environment',
      `libtorch: ${python} -m pip install torch==${torchVersion} failed: ${reason || result.output.trim()}; ` +
        'install torch yourself, or set LIBTORCH to an unpacked libtorch',
    )
  }
}

async function hasOwnIndex(python: string): Promise<boolean> {
  const { output } = await run(python, ['-m', 'pip', 'config', 'list'])
  return (
    /index-url|find-links|no-index/.test(output) ||
    Object.keys(process.env).some((name) =>
      /^PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX)$/.test(name),
    )
  )
}

/**
 * Compiles the addon for a libtorch unless it is cached, and records it for
 * `loadAddon`. Returns the path of the binary.
 */
export async function buildAddon(found: LibtorchFound, { onProgress }: SetupOptions = {}): Promise<string> {
  const sources = hashSources()
  const flags = { compile: compileFlags(found), link: linkFlags(found) }
  // Without the folder of Node's headers: every project has its own, with the same content.
  const key = createHash('sha256')
    .update(JSON.stringify([sources, flags, found.root, process.platform, process.arch, nodeApiVersion]))
    .digest('hex')
    .slice(0, 16)
  const folder = join(cacheFolder(), `addon-${found.version}-${key}`)
  const addon = join(folder, 'limpid.node')
  if (!existsSync(addon)) {
    const temporary = `${folder}.${process.pid}.tmp`
    mkdirSync(temporary, { recursive: true })
    removeLeftovers()
    try {
      await compile(temporary, found, flags, onProgress)
      rmSync(folder, { recursive: true, force: true })
      renameSync(temporary, folder)
    } finally {
      rmSync(temporary, { recursive: true, force: true })
    }
  }
  const library = join(found.lib, `libtorch_cpu.${librarySuffix}`)
  remember({
    addon,
    sources,
    libtorch: found.root,
    version: found.version,
    library,
    libraryStamp: stampOf(library),
  })
  return addon
}

interface Flags {
  readonly compile: readonly string[]
  readonly link: readonly string[]
}

function headerFlags(found: LibtorchFound): string[] {
  const api: string = createRequire(import.meta.url)('node-api-headers').include_dir
  const torch = join(found.root, 'include')
  return [api, torch, join(torch, 'torch', 'csrc', 'api', 'include')].map((folder) => `-I${folder}`)
}

function compileFlags(found: LibtorchFound): string[] {
  return [
    '-std=c++20',
    '-O2',
    '-fPIC',
    '-fvisibility=hidden',
    '-w',
    `-D_GLIBCXX_USE_CXX11_ABI=${found.cxx11Abi}`,
    `-DNAPI_VERSION=${nodeApiVersion}`,
    '-DNDEBUG',
    '-DAT_PER_OPERATOR_HEADERS',
    `-DLIMPID_TORCH_VERSION="${found.version}"`,
    ...(hasGloo(join(found.root, 'include')) ? ['-DLIMPID_GLOO'] : []),
  ]
}

/**
 * Whether the headers for training on several processes are present: libtorch's, and
 * Gloo's in the default include paths.
 */
function hasGloo(torch: string): boolean {
  const folders = [...(process.env.CPATH?.split(':') ?? []), '/usr/include', '/usr/local/include']
  const torchHeader = join(torch, 'torch', 'csrc', 'distributed', 'c10d', 'ProcessGroupGloo.hpp')
  return (
    existsSync(torchHeader) &&
    folders.some((folder) => folder !== '' && existsSync(join(folder, 'gloo', 'context.h')))
  )
}

function linkFlags(found: LibtorchFound): string[] {
  const names = ['torch_cpu', 'c10', ...(found.hasCuda ? ['torch_cuda', 'c10_cuda', 'torch'] : [])]
  const libraries = [`-L${found.lib}`, `-Wl,-rpath,${found.lib}`, ...names.map((name) => `-l${name}`)]
  if (process.platform === 'darwin') return ['-bundle', '-undefined', 'dynamic_lookup', ...libraries]
  // --no-as-needed: libtorch_cuda registers itself when loaded; no symbol refers to it, so the linker would
  // drop it. -z nodelete: libtorch keeps calling the addon's code after the thread that loaded it has ended.
  return ['-shared', '-Wl,--no-as-needed', '-Wl,-z,nodelete', ...libraries]
}

async function compile(
  folder: string,
  found: LibtorchFound,
  flags: Flags,
  onProgress?: (message: string) => void,
): Promise<void> {
  const [compiler, ...options] = findCompiler()
  const compileOptions = [...options, ...flags.compile, ...headerFlags(found)]
  const source = sourceFolder()
  const names = readdirSync(source).filter((name) => name.endsWith('.cc'))
  const queue = [...names]
  let done = 0
  const worker = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const output = join(folder, name.replace(/cc$/, 'o'))
      await runCompiler(compiler, [...compileOptions, '-c', join(source, name), '-o', output])
      onProgress?.(`compiled ${name} (${++done} of ${names.length})`)
    }
  }
  const results = await Promise.allSettled(Array.from({ length: availableCores() }, worker))
  for (const result of results) if (result.status === 'rejected') throw result.reason
  const objects = names.map((name) => join(folder, name.replace(/cc$/, 'o')))
  await runCompiler(compiler, [...options, ...objects, ...flags.link, '-o', join(folder, 'limpid.node')])
  for (const object of objects) rmSync(object)
}

async function runCompiler(compiler: string, args: readonly string[]): Promise<void> {
  const { ok, output } = await run(compiler, args)
  if (ok) return
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const errors = lines.filter((line) => /error|undefined reference|cannot find/i.test(line))
  const shown = (errors.length > 0 ? errors : lines).slice(0, 5).join('\n')
  throw new RestoreError(
    'environment',
    `addon: ${compiler} could not build it; set CXX to another C++20 compiler (g++ 11, clang 14 or newer), or LIBTORCH to another libtorch:\n${shown}`,
  )
}

/** Finds the C++ compiler and its options, from CXX or under the common names. */
export function findCompiler(): [program: string, ...options: string[]] {
  const { CXX } = process.env
  const [name, ...options] = (CXX ?? '').split(/\s+/).filter((word) => word !== '')
  const candidates = name === undefined ? ['c++', 'g++', 'clang++'] : [name]
  const program = candidates.map(findProgram).find((path) => path !== undefined)
  if (program !== undefined) return [program, ...options]
  throw new RestoreError(
    'environment',
    name === undefined
      ? 'addon: expected a C++ compiler (c++, g++ or clang++), found none; install one (Debian: apt install g++, macOS: xcode-select --install) or set CXX'
      : `addon: CXX names the compiler '${name}', which cannot be found; correct CXX or unset it`,
  )
}
