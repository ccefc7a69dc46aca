// limpid setup and limpid doctor: libtorch and the addon.

import { findLibtorch } from '../../native/libtorch.ts'
import { diagnose } from '../../native/load.ts'
import { buildAddon, installLibtorch } from '../../native/setup.ts'
import { type GlobalOptions, printResult, reporter } from './io/shell.ts'

/** Finds or installs libtorch, then builds the addon for it. */
export async function setupCommand(options: GlobalOptions): Promise<void> {
  const progress = reporter(options)
  const onProgress = (message: string) => progress.show(message)
  const { found } = findLibtorch()
  const libtorch = found ?? (await installLibtorch({ onProgress }))
  const addon = await buildAddon(libtorch, { onProgress })
  progress.done()
  const { root, version } = libtorch
  printResult(options, { libtorch: root, version, addon }, `libtorch ${version} in ${root}\naddon ${addon}`)
}

/** Lists what is found, what is missing and how to fix it; exit code 3 where something is wrong. */
export function doctorCommand(options: GlobalOptions): void {
  const checks = diagnose()
  const lines = checks.map(({ check, state, detail, fix }) => {
    return `${state.padEnd(7)}  ${check}: ${detail}${state === 'ok' || !fix ? '' : `; ${fix}`}`
  })
  printResult(options, { checks }, lines.join('\n'), { hasMarks: true })
  if (checks.some(({ state }) => state !== 'ok')) process.exitCode = 3
}
