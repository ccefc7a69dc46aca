// Loads the addon that `limpid setup` built, and diagnoses what is missing.

import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { RestoreError } from '../src/core/errors.ts'
import { availableCores } from '../src/files/cores.ts'
import { processorFeatures } from '../src/files/processor.ts'
import type { Addon } from './addon.ts'
import { type BuildRecord, hashSources, readRecords, stampOf } from './cache.ts'
import { findLibtorch, pythons } from './libtorch.ts'
import { findCompiler } from './setup.ts'

let loaded: Addon | undefined

/**
 * Loads the addon once: the newest one that `limpid setup` built, or the one for LIBTORCH.
 * @throws RestoreError with the code `environment` if there is none.
 */
export function loadAddon(): Addon {
  loaded ??= load()
  return loaded
}

function load(): Addon {
  const { record, fault } = findRecord()
  if (record === undefined) {
    const { LIBTORCH } = process.env
    const expected = LIBTORCH ? `an addon built for LIBTORCH=${LIBTORCH}` : 'a built addon'
    const advice = LIBTORCH ? ', or unset LIBTORCH' : ''
    throw new RestoreError(
      'environment',
      `libtorch addon: expected ${expected}, but ${fault ?? 'it has not been built'}; run \`limpid setup\`${advice}`,
    )
  }
  try {
    return createRequire(import.meta.url)(record.addon) as Addon
  } catch (cause) {
    const reason = messageOf(cause)
    throw new RestoreError(
      'environment',
      `libtorch addon: ${record.addon} cannot be loaded: ${reason}; run \`limpid setup\``,
      { cause },
    )
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

// The newest addon that matches its libtorch and these sources, or the fault of the newest.
function findRecord(): { record?: BuildRecord; fault?: string } {
  const records = readRecords().toReversed()
  const record = records.find((candidate) => faultOf(candidate) === undefined)
  if (record) return { record }
  const [newest] = records
  return newest ? { fault: `${newest.addon}: ${faultOf(newest)}` } : {}
}

// Why a built addon can no longer be used.
function faultOf(record: BuildRecord): string | undefined {
  const { LIBTORCH } = process.env
  if (record.sources !== hashSources()) return 'built from other sources'
  if (LIBTORCH && (!existsSync(LIBTORCH) || realpathSync(LIBTORCH) !== record.libtorch))
    return `not for LIBTORCH=${LIBTORCH}`
  if (!existsSync(record.addon)) return 'deleted'
  if (!existsSync(record.library)) return `its libtorch ${record.library} is gone`
  if (stampOf(record.library) !== record.libraryStamp) return `its libtorch ${record.libtorch} was replaced`
  return undefined
}

/** One line of `limpid doctor`. */
export interface Check {
  readonly check: string
  readonly state: 'ok' | 'missing' | 'wrong'
  readonly detail: string
  /** What to do; empty if nothing. */
  readonly fix: string
}

/** Checks everything that training needs: what is found, what is missing and how to fix it. */
export function diagnose(): readonly Check[] {
  return [checkNode(), checkProcessor(), checkCompiler(), checkPython(), checkLibtorch(), ...checkAddon()]
}

const ok = (check: string, detail: string): Check => ({ check, state: 'ok', detail, fix: '' })

const firstLine = (program: string, args: readonly string[]) => {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 30_000 })
  return `${stdout ?? ''}${stderr ?? ''}`.split('\n')[0] ?? ''
}

function checkNode(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const version = `${process.version} ${process.platform}-${process.arch}`
  if (major > 20 || (major === 20 && minor >= 19)) return ok('Node.js', version)
  return { check: 'Node.js', state: 'wrong', detail: version, fix: 'install Node.js 20.19 or newer' }
}

function checkProcessor(): Check {
  const relevant = ['avx2', 'avx512f', 'avx512_bf16', 'amx_bf16', 'asimd', 'bf16']
  const available = processorFeatures()
  const features = relevant.filter((name) => available.has(name))
  const name = cpus()[0]?.model.trim() ?? process.arch
  return ok('processor', [`${name}, ${availableCores()} threads`, ...features].join(', '))
}

function checkCompiler(): Check {
  try {
    const [program, ...options] = findCompiler()
    return ok('C++ compiler', `${program} (${firstLine(program, [...options, '--version'])})`)
  } catch (error) {
    const [detail = '', fix = ''] = messageOf(error)
      .replace(/^addon: /, '')
      .split('; ')
    return { check: 'C++ compiler', state: 'missing', detail, fix }
  }
}

function checkPython(): Check {
  const [python] = pythons()
  if (python !== undefined) return ok('Python', `${python} (${firstLine(python, ['--version'])})`)
  const fix = 'install python3 with pip (only needed to install libtorch)'
  return { check: 'Python', state: 'missing', detail: 'neither python3 nor python found', fix }
}

function checkLibtorch(): Check {
  const { record } = findRecord()
  if (record !== undefined) return ok('libtorch', `${record.version} in ${record.libtorch}`)
  try {
    const { found, tried } = findLibtorch()
    if (found) return ok('libtorch', `${found.version} in ${found.root} (${found.origin})`)
    const places = tried.map(({ place, reason }) => `${place}: ${reason}`)
    const detail = places.length > 0 ? places.join(', ') : 'none found'
    return {
      check: 'libtorch',
      state: 'missing',
      detail,
      fix: 'run `limpid setup`, which installs it with pip',
    }
  } catch (error) {
    return {
      check: 'libtorch',
      state: 'wrong',
      detail: messageOf(error),
      fix: '',
    }
  }
}

// Runs in a process of its own, in case a library crashes.
const probe = `
  const addon = require(process.argv[1])
  const cuda = addon.cudaDevices().map(({ name, computeCapability }) => name + ' (' + computeCapability + ')')
  const hasGloo = 'sumAcross' in addon
  console.log(JSON.stringify({ version: addon.torchVersion, threads: addon.threads(), cuda, hasGloo }))`

function checkAddon(): Check[] {
  const fix = 'run `limpid setup`'
  const { record, fault: detail = 'not built' } = findRecord()
  if (record === undefined) {
    return [{ check: 'addon built', state: 'missing', detail, fix }]
  }
  const built = ok('addon built', record.addon)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', probe, record.addon], {
    encoding: 'utf8',
  })
  if (status !== 0) {
    const detail = stderr.split('\n').find((line) => line.includes('Error')) ?? `exit code ${status}`
    return [built, { check: 'addon loads', state: 'wrong', detail, fix }]
  }
  const { version, threads, cuda, hasGloo } = JSON.parse(stdout) as {
    version: string
    threads: number
    cuda: string[]
    hasGloo: boolean
  }
  return [
    built,
    ok('addon loads', `libtorch ${version}, ${threads} threads`),
    ok(
      'processes',
      hasGloo
        ? 'several can train together'
        : 'only one can train; for several, install Gloo’s headers (Debian: apt install libgloo-dev), then run `limpid setup`',
    ),
    ok('CUDA devices', cuda.length > 0 ? cuda.join(', ') : 'none (training runs on the CPU)'),
  ]
}
