// All commands, as help lists them. Each is loaded when it is used, so that help comes at once.

import { addEnvironment } from './environment.ts'
import { addMeasuring } from './measure.ts'
import { addNetworks } from './networks.ts'
import { createProgram, type Program } from './options.ts'
import { addRestore } from './restore.ts'
import { addTraining } from './training.ts'

/** Builds the program with all its commands. */
export function buildProgram(): Program {
  const program = createProgram()
  const groups = [
    ['Restore photos:', addRestore],
    ['Measure:', addMeasuring],
    ['Train:', addTraining],
    ['Weights and networks:', addNetworks],
    ['Environment:', addEnvironment],
  ] as const
  for (const [heading, add] of groups) {
    program.commandsGroup(heading)
    add(program)
  }
  return program
}
