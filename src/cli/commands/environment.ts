// Declarations of limpid setup, doctor and bench.

import { examples, type Program, parsed } from './options.ts'
import { oneOf, whole } from './parsers.ts'

export function declareSetup(program: Program) {
  return program
    .command('setup')
    .description('find or install libtorch and build the addon (for training, CUDA and --backend torch)')
    .addHelpText('after', examples('limpid setup', 'limpid setup --quiet --json'))
}

export function declareDoctor(program: Program) {
  return program
    .command('doctor')
    .description('show what is found, what is missing and how to fix it')
    .addHelpText('after', examples('limpid doctor', 'limpid doctor --json'))
}

export function declareBench(program: Program) {
  return program
    .command('bench')
    .description('measure this machine against a reference')
    .argument('[name]', 'benchmark; without a name lists all')
    .addOption(parsed('--runs <n>', 'counted runs of each side', whole(1, 1000)).default(5))
    .addOption(
      parsed(
        '--dtype <name>',
        'float32 or bfloat16, of train-restormer',
        oneOf(['float32', 'bfloat16']),
      ).default('float32'),
    )
    .addHelpText(
      'after',
      `
References in Python are installed once with pip, into the cache folder;
LIMPID_BENCH_PYTHON names an interpreter that has them.${examples('limpid bench imresize', 'limpid bench train-restormer --dtype bfloat16')}`,
    )
}
