// The whole command line: declarations and what runs them. An implementation is imported when its command runs, so that help comes at
// once.

import { declareBench, declareDoctor, declareSetup } from './commands/environment.ts'
import {
  declareCompare,
  declareDegrade,
  declareDetect,
  declareEval,
  declareRepresentations,
} from './commands/measure.ts'
import {
  declareConvert,
  declareExport,
  declareFetch,
  declareForward,
  declareInspect,
  declareModels,
} from './commands/networks.ts'
import { createProgram, type Program } from './commands/options.ts'
import { declareRestore } from './commands/restore.ts'
import { declareApp, declareKey, declareServe, declareWorker } from './commands/serve.ts'
import { declarePack, declareTrain } from './commands/training.ts'

/** Builds the program with all its commands. */
export function buildProgram(): Program {
  const program = createProgram()
  const groups = [
    ['Restore photos:', addRestore],
    ['Serve:', addServing],
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

function addRestore(program: Program): void {
  declareRestore(program).action(async (inputs, _, command) => {
    const { restoreCommand } = await import('./restore/restore.ts')
    await restoreCommand(inputs, command.optsWithGlobals())
  })
}

function addServing(program: Program): void {
  declareApp(program).action(async (_, command) => {
    const { appCommand } = await import('./server/app.ts')
    await appCommand(command.optsWithGlobals())
  })
  declareServe(program).action(async (_, command) => {
    const { serveCommand } = await import('./server/serve.ts')
    await serveCommand(command.optsWithGlobals())
  })
  declareWorker(program).action(async (_, command) => {
    const { workerCommand } = await import('./server/worker.ts')
    await workerCommand(command.optsWithGlobals())
  })
  declareKey(program).action(async (name, _, command) => {
    const { keyCommand } = await import('./server/serve.ts')
    await keyCommand(name, command.optsWithGlobals())
  })
}

function addMeasuring(program: Program): void {
  declareCompare(program).action(async (reference, output, _, command) => {
    const { compareCommand } = await import('./measure/compare.ts')
    await compareCommand(reference, output, command.optsWithGlobals())
  })
  declareEval(program).action(async (_, command) => {
    const { evalCommand } = await import('./measure/eval.ts')
    await evalCommand(command.optsWithGlobals())
  })
  declareDetect(program).action(async (inputs, _, command) => {
    const { detectCommand } = await import('./measure/detect.ts')
    await detectCommand(inputs, command.optsWithGlobals())
  })
  declareDegrade(program).action(async (inputs, _, command) => {
    const { degradeCommand } = await import('./measure/degrade.ts')
    await degradeCommand(inputs, command.optsWithGlobals())
  })
  declareRepresentations(program).action(async (_, command) => {
    const { representationsCommand } = await import('./measure/representations.ts')
    await representationsCommand(command.optsWithGlobals())
  })
}

function addTraining(program: Program): void {
  declareTrain(program).action(async (recipe, _, command) => {
    const { trainCommand } = await import('./training/train.ts')
    await trainCommand(recipe, command.optsWithGlobals())
  })
  declarePack(program).action(async (folders, _, command) => {
    const { packCommand } = await import('./training/pack.ts')
    await packCommand(folders, command.optsWithGlobals())
  })
}

function addNetworks(program: Program): void {
  const { list, show, verify } = declareModels(program)
  list.action(async (_, command) => {
    const { listModels } = await import('./networks/models.ts')
    listModels(command.args, command.optsWithGlobals())
  })
  show.action(async (id, _, command) => {
    const { showModel } = await import('./networks/models.ts')
    showModel(id, command.optsWithGlobals())
  })
  verify.action(async (id, _, command) => {
    const { verifyModels } = await import('./networks/models.ts')
    verifyModels(id, command.optsWithGlobals())
  })
  declareFetch(program).action(async (names, _, command) => {
    const { fetchCommand } = await import('./networks/fetch.ts')
    await fetchCommand(names, command.optsWithGlobals())
  })
  declareInspect(program).action(async (file, _, command) => {
    const { inspectCommand } = await import('./networks/checkpoints.ts')
    await inspectCommand(file, command.optsWithGlobals())
  })
  declareConvert(program).action(async (input, output, _, command) => {
    const { convertCommand } = await import('./networks/checkpoints.ts')
    convertCommand(input, output, command.optsWithGlobals())
  })
  declareExport(program).action(async (output, _, command) => {
    const { exportCommand } = await import('./networks/export.ts')
    await exportCommand(output, command.optsWithGlobals())
  })
  declareForward(program).action(async (_, command) => {
    const { forwardCommand } = await import('./networks/forward.ts')
    await forwardCommand(command.optsWithGlobals())
  })
}

function addEnvironment(program: Program): void {
  declareSetup(program).action(async (_, command) => {
    const { setupCommand } = await import('./environment.ts')
    await setupCommand(command.optsWithGlobals())
  })
  declareDoctor(program).action(async (_, command) => {
    const { doctorCommand } = await import('./environment.ts')
    doctorCommand(command.optsWithGlobals())
  })
  declareBench(program).action(async (name, { runs, dtype }) => {
    const { runBenchmark } = await import('../../bench/main.ts')
    await runBenchmark([...(name ? [name] : []), '--runs', String(runs), '--dtype', dtype])
  })
}
