// What a killed process leaves in the folder that it was writing into.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const module = fileURLToPath(new URL('../src/files/atomicWrite.ts', import.meta.url))

/** Leaves a temporary file of a process that was killed while it wrote. */
export function writeLeftover(folder: string): void {
  const program = `
    import { writeAtomicSync } from ${JSON.stringify(module)}
    function* parts() { yield Buffer.from('half'); process.kill(process.pid, 'SIGKILL') }
    writeAtomicSync(process.argv[1] + '/never', parts(), { overwrite: true })`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program, folder]
  try {
    execFileSync(process.execPath, args, { stdio: 'ignore' })
  } catch {
    return
  }
  throw new Error('expected the process to be killed')
}
