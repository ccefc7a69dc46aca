// Description of the machine that measured a figure.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, availableParallelism, cpus, release, type } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  /** Vector extensions that decide which kernels run. */
  readonly extensions: readonly string[]
  readonly os: string
  readonly node: string
  readonly onnxruntime: string
  readonly torch?: string
}

/** Describes this machine; includes the version of torch if `python` is an interpreter that has it. */
export function describeMachine(python: string | undefined): Machine {
  const torch =
    python === undefined
      ? ''
      : spawnSync(python, ['-c', 'import torch; print(torch.__version__)'], {
          encoding: 'utf8',
        }).stdout.trim()
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    extensions: vectorExtensions(),
    os: `${distribution()} ${type()} ${release()} ${arch()}`.trim(),
    node: process.versions.node,
    onnxruntime: createRequire(import.meta.url)('onnxruntime-node/package.json').version,
    ...(torch === '' ? {} : { torch }),
  }
}

function vectorExtensions(): string[] {
  const file = '/proc/cpuinfo'
  if (!existsSync(file)) return []
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync(file, 'utf8'))?.[1]?.trim().split(/\s+/) ?? []
  return flags.filter((flag) => /^(avx|amx|fma)/.test(flag))
}

function distribution(): string {
  const file = '/etc/os-release'
  return (existsSync(file) && /^PRETTY_NAME="(.*)"$/m.exec(readFileSync(file, 'utf8'))?.[1]) || ''
}
