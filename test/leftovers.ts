// What a killed process leaves in the folder that it was writing into.

import { execFileSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { builtModule } from './limpid.ts'

/** Leaves a temporary file of a process that was killed while it wrote. */
export function writeLeftover(folder: string): void {
  const program = `
    import { writeAtomicSync } from ${JSON.stringify(pathToFileURL(builtModule('src/files/atomicWrite')).href)}
    function* parts() { yield Buffer.from('half'); process.kill(process.pid, 'SIGKILL') }
    writeAtomicSync(process.argv[1] + '/never', parts(), { overwrite: true })`
  try {
    execFileSync(process.execPath, ['--input-type=module', '--eval', program, folder], { stdio: 'ignore' })
  } catch {
    return
  }
  throw new Error('expected the process to be killed')
}
