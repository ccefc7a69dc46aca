// Python interpreter for the references, in a virtual environment created once in the cache folder.

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RestoreError } from '../src/core/errors.ts'
import { cacheFolder } from '../src/files/cacheFolder.ts'

/** Environments of the references: cache folder, packages, and a module whose import verifies them. */
const environments = {
  torch: { folder: 'bench-python', packages: ['torch==2.13.0', 'numpy'], module: 'torch' },
  spandrel: {
    folder: 'bench-python-spandrel',
    packages: ['spandrel==0.4.2', 'torch==2.13.0', 'numpy'],
    module: 'spandrel',
  },
  openvino: {
    folder: 'bench-python-openvino',
    packages: ['openvino==2026.4.1', 'numpy'],
    module: 'openvino',
  },
  'scikit-image': {
    folder: 'bench-python-images',
    packages: ['scikit-image==0.26.0', 'numpy'],
    module: 'skimage',
  },
} as const

export type PythonEnvironment = keyof typeof environments

/** Path of LIMPID_BENCH_PYTHON, or of the environment's interpreter; creates a missing environment. */
export async function benchmarkPython(
  environment: PythonEnvironment,
  onProgress: (message: string) => void,
): Promise<string> {
  const { folder: name, packages, module } = environments[environment]
  const { LIMPID_BENCH_PYTHON } = process.env
  if (LIMPID_BENCH_PYTHON) {
    if (spawnSync(LIMPID_BENCH_PYTHON, ['-c', `import ${module}`]).status === 0) return LIMPID_BENCH_PYTHON
    throw new RestoreError(
      'environment',
      `LIMPID_BENCH_PYTHON: expected an interpreter with ${module}, got ${LIMPID_BENCH_PYTHON}; install ${packages[0]} there or unset it`,
    )
  }
  const folder = join(cacheFolder(), name)
  const isWindows = process.platform === 'win32'
  const python = isWindows ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python')
  const done = join(folder, `${packages.join('-')}.installed`)
  if (existsSync(done)) return python

  rmSync(folder, { recursive: true, force: true })
  const system = ['python3', 'python'].find((name) => spawnSync(name, ['--version']).status === 0)
  if (system === undefined) {
    throw new RestoreError(
      'environment',
      'bench: expected Python 3 for the reference, got none; install python3, or set LIMPID_BENCH_PYTHON',
    )
  }
  onProgress(`creating a virtual environment in ${folder}`)
  await run(system, ['-m', 'venv', folder], 'install the venv module (Debian: apt install python3-venv)')
  onProgress(`installing ${packages.join(' and ')} there`)
  // PyTorch's own index has a build without CUDA, which pip prefers for its local version; PyPI's works too.
  const index = ['--extra-index-url', 'https://download.pytorch.org/whl/cpu']
  const hint = `connect to the package index, or set LIMPID_BENCH_PYTHON to an interpreter with ${module}`
  await run(python, ['-m', 'pip', 'install', '--quiet', ...index, ...packages], hint)
  writeFileSync(done, '')
  return python
}

function run(program: string, args: readonly string[], hint: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', process.stderr, 'pipe'] })
    let errors = ''
    child.stderr?.on('data', (text) => {
      errors += text
    })
    const fail = (reason: string) =>
      reject(
        new RestoreError('environment', `bench: ${program} ${args.join(' ')} failed: ${reason}; ${hint}`),
      )
    child.on('error', (error) => fail(error.message))
    child.on('close', (status) => {
      const lines = errors.trim().split('\n')
      if (status === 0) resolve()
      else fail(lines.filter((line) => /error/i.test(line)).join(' ') || lines.slice(-1).join(''))
    })
  })
}
