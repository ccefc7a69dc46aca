// limpid setup, doctor and bench, as they are typed.

import { examples, type Program, parsed } from './options.ts'
import { oneOf, whole } from './parsers.ts'

export function addEnvironment(program: Program): void {
  program
    .command('setup')
    .description('find or install libtorch and build the addon (for training, CUDA and --backend torch)')
    .addHelpText('after', examples('limpid setup', 'limpid setup --quiet --json'))
    .action(async (_, command) => {
      const { setupCommand } = await import('../environment.ts')
      await setupCommand(command.optsWithGlobals())
    })
  program
    .command('doctor')
    .description('show what is found, what is missing and how to fix it')
    .addHelpText('after', examples('limpid doctor', 'limpid doctor --json'))
    .action(async (_, command) => {
      const { doctorCommand } = await import('../environment.ts')
      doctorCommand(command.optsWithGlobals())
    })
  program
    .command('bench')
    .description('measure this machine against a reference')
    .argument('[name]', 'benchmark; an unknown name lists all')
    .addOption(parsed('--runs <n>', 'counted runs of each side', whole(1, 1000)).default(5))
    .addOption(
      parsed(
        '--dtype <name>',
        'float32 or bfloat16, of train-restormer',
        oneOf(['float32', 'bfloat16']),
      ).default('float32'),
    )
    .addHelpText('after', examples('limpid bench imresize', 'limpid bench train-restormer --dtype bfloat16'))
    .action(async (name, { runs, dtype }) => {
      const { runBenchmark } = await import('../../../bench/main.ts')
      await runBenchmark([...(name ? [name] : []), '--runs', String(runs), '--dtype', dtype])
    })
}
