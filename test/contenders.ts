// Processes that do the same at the same moment.

import { spawn } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { builtModule } from './limpid.ts'

/**
 * Runs a program in several processes, which begin its rounds together. They end when all have
 * finished. Returns the rounds that each process told.
 *
 * @param module  name of the built module that `round` sees as `tested`
 * @param round  statements, with the number of the round in `i`; `tell(i)` tells it
 */
export async function contend(
  count: number,
  { module, rounds, round }: { readonly module: string; readonly rounds: number; readonly round: string },
): Promise<readonly (readonly number[])[]> {
  const program = `
    import * as tested from ${JSON.stringify(pathToFileURL(builtModule(module)).href)}
    const told = []
    const tell = (i) => told.push(i)
    process.on('message', (start) => {
      for (let i = 0; i < ${rounds}; i++) {
        while (Date.now() < start + 20 * i) {}
        ${round}
      }
      process.send(told)
    })
    process.send('ready')`
  const args = ['--input-type=module', '--eval', program]
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  )
  const answers = () =>
    Promise.all(
      children.map(
        (child) =>
          new Promise<unknown>((resolve, reject) => {
            child.once('message', resolve)
            child.once('exit', (code) => reject(new Error(`a contender ended with ${code}`)))
          }),
      ),
    )
  try {
    await answers()
    const start = Date.now() + 20
    const told = answers()
    for (const child of children) child.send(start)
    return (await told) as readonly (readonly number[])[]
  } finally {
    for (const child of children) child.kill()
  }
}
