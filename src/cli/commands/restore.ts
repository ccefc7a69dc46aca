// Declarations of limpid restore.

import {
  examples,
  imagesHelp,
  networkCommand,
  overwriteOption,
  type Program,
  parsed,
  pixelLimitOption,
  qualityOption,
  reportOption,
  seedOption,
} from './options.ts'
import { decimal, oneOf, whole } from './parsers.ts'

export function declareRestore(program: Program) {
  return networkCommand(program, 'restore')
    .description('restore photos: remove noise, rain, blur and haze, or enlarge')
    .argument('<input...>', imagesHelp)
    .option(
      '-o, --output <path>',
      "file, folder (keeps names and tree), or '-' for stdout (default: <name>_restored beside the input)",
    )
    .option('--recursive', 'include subfolders')
    .addOption(seedOption('random seed of sampling (default: 0)'))
    .addOption(
      parsed('--strength <n>', '0 to 1: share of the restoration in the result', decimal(0, 1)).default(1),
    )
    .addOption(
      parsed('--alpha <name>', 'keep or restore the opacity', oneOf(['keep', 'restore'])).default('keep'),
    )
    .option('--format <name>', 'png, jpg, webp, tiff or avif (default: by output or input name)')
    .addOption(qualityOption())
    .option('--strip', 'omit color profile, EXIF, XMP and resolution')
    .option('--compare', 'write a before/after page beside each result')
    .addOption(reportOption())
    .option('--resume', 'continue an interrupted run into a folder, or start one')
    .addOption(
      parsed('--jobs <n>', 'pictures computed at once, sharing cores and memory', whole(1, 256)).default(1),
    )
    .addOption(pixelLimitOption())
    .addOption(overwriteOption())
    .addHelpText(
      'after',
      examples('limpid restore photo.jpg', 'limpid restore photos -o clean --recursive --resume'),
    )
}

export type RestoreOptions = ReturnType<ReturnType<typeof declareRestore>['optsWithGlobals']>
