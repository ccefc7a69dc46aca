// Declarations of limpid train and pack.

import {
  examples,
  overwriteOption,
  type Program,
  parsed,
  repeated,
  threadCount,
  torchDeviceOption,
} from './options.ts'
import { setting, whole } from './parsers.ts'

export function declareTrain(program: Program) {
  return program
    .command('train')
    .description('train a network by a recipe (see recipes/)')
    .argument('<recipe>', 'recipe file, *.ts')
    .option('--data <dir>', "folder of images, instead of the recipe's")
    .option('--out <dir>', 'folder for weights, state, log and report (default: runs/<recipe>)')
    .addOption(
      repeated(
        '--set <key=value>',
        'change a field, such as network.options.dim=24; may be repeated',
        setting,
      ),
    )
    .addOption(parsed('--steps <n>', "number of steps, instead of the recipe's", whole(1)))
    .option('--resume', 'continue the training in --out, or start it')
    .option('--accept-changes', 'with --resume: continue although recipe or data have changed')
    .option('--skip-unusable', 'leave out images that are damaged or too small, and name them')
    .addOption(torchDeviceOption())
    .addOption(
      parsed('--threads <n>', 'libtorch threads (default: all cores that other programs leave)', threadCount),
    )
    .addOption(
      parsed('--workers <n>', 'data loading threads (default: one for two cores, at most 8)', whole(0, 256)),
    )
    .option('--dry-run', 'check data and memory, and try one step of every phase')
    .option('--overfit', 'train on one batch only: a sanity check, 200 steps by default')
    .addHelpText(
      'after',
      examples(
        'limpid train recipes/your-own.ts --data photos --out runs/mine --resume',
        'limpid train recipes/your-own.ts --data photos --set network.options.dim=24 --dry-run',
      ),
    )
}

export function declarePack(program: Program) {
  return program
    .command('pack')
    .description('pack folders of images into tar shards for training (WebDataset layout)')
    .argument('<dir...>', 'folders of images; several make samples with a field for each folder')
    .requiredOption('-o, --output <dir>', 'folder for the shards and their index')
    .addOption(parsed('--shard-mb <n>', 'largest shard in megabytes', whole(1, 1e6)).default(1000))
    .option('--resume', 'keep shards that are complete and unchanged')
    .addOption(overwriteOption())
    .addHelpText(
      'after',
      examples(
        'limpid pack photos -o shards',
        'limpid pack rain/input rain/target -o rain-shards --shard-mb 500',
      ),
    )
}

export type TrainCommandOptions = ReturnType<ReturnType<typeof declareTrain>['optsWithGlobals']>
export type PackOptions = ReturnType<ReturnType<typeof declarePack>['optsWithGlobals']>
