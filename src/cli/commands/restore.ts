// Declarations of limpid restore.

import { autoTask } from '../../models/tasks.ts'
import {
  backgroundOption,
  examples,
  formatOption,
  imagesHelp,
  networkCommand,
  overwriteOption,
  type Program,
  pagesOption,
  parsed,
  pixelLimitOption,
  qualityOption,
  queueHelp,
  reportOption,
  seedOption,
  storeHelp,
} from './options.ts'
import { decimal, list, oneOf, whole } from './parsers.ts'

/** What `--strip` omits. */
export const stripped = ['all', 'location'] as const

export function declareRestore(program: Program) {
  return networkCommand(program, 'restore', autoTask)
    .description('restore photos: remove noise, rain, blur and haze, or enlarge')
    .argument('<input...>', imagesHelp)
    .option(
      '-o, --output <path>',
      "file, folder (keeps names and tree), or '-' for stdout (default: <name>_restored beside the input)",
    )
    .option('--recursive', 'include subfolders')
    .addOption(pagesOption())
    .addOption(seedOption('random seed of sampling (default: 0)'))
    .addOption(
      parsed('--strength <n>', '0 to 1: share of the restoration in the result', decimal(0, 1)).default(1),
    )
    .addOption(
      parsed('--opacity <name>', 'keep or restore the opacity', oneOf(['keep', 'restore'])).default('keep'),
    )
    .addOption(parsed('--only <kinds>', 'with --task auto: damage to treat if it is found, no other', list))
    .addOption(parsed('--never <kinds>', 'with --task auto: damage to leave as it is', list))
    .addOption(parsed('--damage <kinds>', 'with --task auto or universal: damage to treat in any case', list))
    .option('--dry-run', 'with --task auto: print what was found and would be done')
    .addOption(formatOption('by output or input name'))
    .addOption(qualityOption())
    .addOption(backgroundOption())
    .addOption(
      parsed(
        '--strip [what]',
        'all: omit color profile and metadata (default); location: only where the photo was taken',
        oneOf(stripped),
      ).preset('all'),
    )
    .option('--compare', 'write a before/after page beside each result')
    .addOption(reportOption())
    .option('--html <file>', 'write a page about all pictures, what changed first')
    .option('--resume', 'continue an interrupted run into a folder, or start one')
    .addOption(
      parsed(
        '--jobs <n>',
        'pictures computed at once, sharing cores and memory (default: 1); with --queue, pictures queued at once (default: 32)',
        whole(1, 256),
      ),
    )
    .addOption(pixelLimitOption())
    .addOption(overwriteOption())
    .optionsGroup('Many machines:')
    .option('--queue <address>', `${queueHelp}, instead of this machine`)
    .option('--store <place>', storeHelp)
    .addHelpText(
      'after',
      examples('limpid restore photo.jpg', 'limpid restore photos -o clean --recursive --resume'),
    )
}

export type RestoreOptions = ReturnType<ReturnType<typeof declareRestore>['optsWithGlobals']>
