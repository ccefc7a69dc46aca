// The command line: parses, calls, prints. Each command is loaded when it is used, so that help comes at once.

import { Command, CommanderError, Option } from 'commander'
import { packageVersion } from '../data/packageFiles.ts'
import { type GlobalOptions, reportError } from './shell.ts'

const program = new Command('limpid')
  .description('Restores photos (noise, blur, rain), and trains the networks that do it.')
  .version(packageVersion())
  .option('--json', 'print results as one JSON document')
  .option('--quiet', 'print results and errors only')
  .option('--verbose', 'print the stack of an error')
  .exitOverride()
  .configureHelp({ sortSubcommands: false })

const backend = () =>
  new Option('--backend <name>', 'what computes').choices(['auto', 'onnx', 'torch']).default('auto')
const collect = (value: string, before: string[]) => [...before, value]
const pixelLimit = () =>
  new Option(
    '--pixel-limit <megapixels>',
    'most that an image may have (default: 268); raise it for files you trust',
  )
const metricsHelp = 'names apart by commas; an unknown one lists all'
const metricWeightsHelp = 'weights of LPIPS or FID; may be repeated'
const device = () => new Option('--device <name>', 'auto, cpu, webgpu or cuda[:N]').default('auto')

/** Which network is run on pictures, and how. */
function withNetwork(command: Command): Command {
  return command
    .option(
      '--task <name>',
      'denoise (default), derain, deblur, defocus-deblur, upscale, universal; or one of those that weights have, such as sr-x2',
    )
    .option('--model <id>', 'which published model (see `limpid models`)')
    .option('--weights <file>', 'checkpoint of any supported network: .safetensors, .pth, .pt or .ckpt')
    .option('--scale <n>', 'how much larger, where a task has models for several')
    .option('--options <json>', 'options of the network that its weights do not tell')
    .option('--guide <file>', 'second network of those that sample: a DA-CLIP, or a compression to latents')
    .option(
      '--steps <n>',
      'steps of a network that samples; fewer are faster (default: those of its training)',
    )
    .addOption(
      new Option('--sampler <name>', 'how it samples (default: as it was published)').choices([
        'posterior',
        'sde',
        'mean',
        'ode',
      ]),
    )
    .option('--samples <n>', 'sample n times: each result, their mean, and a map of where they disagree')
    .option('--noise <sigma>', 'noise in the photo, 0 to 255, for networks of the denoising SDE')
    .option('--max-sigma <n>', 'deviation of the SDE, 1 to 255, where weights do not tell it')
    .option(
      '--tile <px>',
      "side of overlapping tiles, 'none' for the whole image at once, or 'auto' by memory",
      'auto',
    )
    .option('--overlap <px>', 'pixels that tiles share at least (default: what suits the network)')
    .addOption(
      new Option('--blend <name>', 'how tiles are joined; official is for parity with published numbers')
        .choices(['smooth', 'official'])
        .default('smooth'),
    )
    .option('--self-ensemble', 'mean over eight turns: a little better, eight times as long')
    .addOption(backend())
    .addOption(device())
}

withNetwork(
  program
    .command('restore')
    .description('restore photos: noise out, and with other models rain, blur, low resolution')
    .argument('<input...>', "image files, folders or patterns such as 'photos/**/*.jpg'; '-' for stdin")
    .option(
      '-o, --output <path>',
      "file, or folder that keeps names and tree, '-' for stdout (default: <name>_restored beside the input)",
    )
    .option('--recursive', 'take the folders inside folders too'),
)
  .option('--seed <n>', 'chance of sampling: same seed and photo, same result (default: 0)')
  .option('--strength <n>', '0 to 1: how much of the restoration, the rest being the input', '1')
  .addOption(
    new Option('--alpha <name>', 'opacity as it is, or restored too')
      .choices(['keep', 'restore'])
      .default('keep'),
  )
  .option('--format <name>', 'png, jpg, webp, tiff or avif (default: that of the output or input name)')
  .option('--quality <n>', '1 to 100 of jpg, webp (default 95) and avif (default 80)')
  .option('--strip', 'leave out profile, EXIF, XMP and resolution')
  .option('--compare', 'write a page beside each result that shows before and after')
  .option('--report <file>', "write what was done as JSON; 'json' prints it in place of the paths")
  .option('--resume', 'go on in a folder where a run was stopped, or begin there')
  .option('--jobs <n>', 'pictures computed side by side, which share cores and memory', '1')
  .option('--threads <n>', 'threads of each job (default: its part of the cores)')
  .option('--pixel-limit <megapixels>', 'refuse larger images (default: 268)')
  .option('--overwrite', 'replace existing outputs')
  .action(async (inputs: string[], _, command: Command) => {
    const { restoreCommand } = await import('./restore/restore.ts')
    await restoreCommand(inputs, command.optsWithGlobals())
  })

program
  .command('degrade')
  .description('damage images by a chain of degradations, such as noise:sigma=25 jpeg:quality=40')
  .argument('[input...]', "image files or folders, whose tree is kept, or '-' for stdin")
  .option('-o, --output <path>', "a file for one image, else a folder; '-' for stdout")
  .option('--with <spec>', 'degradations in order, each with its settings; see --list')
  .option('--list', 'tell every degradation with its parameters')
  .option('--seed <n>', 'chance: same seed and same name, same damage', '0')
  .option(
    '--format <name>',
    'png, jpg, webp, tiff or avif (default: that of the output file; in folders TIFF stays and all else is PNG, which adds no damage)',
  )
  .option('--quality <n>', '1 to 100, of JPEG, WebP and AVIF')
  .addOption(pixelLimit())
  .option('--overwrite', 'replace existing outputs')
  .action(async (inputs: string[], _, command: Command) => {
    const { degradeCommand } = await import('./degrade.ts')
    await degradeCommand(inputs, command.optsWithGlobals())
  })

program
  .command('compare')
  .description('measure an image against another, or a folder against a folder')
  .argument('<reference>', 'image or folder that is right')
  .argument('<output>', 'image or folder to judge; pairs have the same path, extensions apart')
  .option('--metrics <names>', metricsHelp, 'psnr,ssim,psnr-y,ssim-y,mae')
  .option('--crop <px>', 'border to leave out on every side', '0')
  .option('--map <path>', 'write where they differ: an image, or a folder for folders')
  .option('--gain <n>', 'how many times the map amplifies (default: 4)')
  .option('--metric-weights <file>', metricWeightsHelp, collect, [])
  .addOption(pixelLimit())
  .option('--overwrite', 'replace existing maps')
  .action(async (reference: string, output: string, _, command: Command) => {
    const { compareCommand } = await import('./measure/compare.ts')
    await compareCommand(reference, output, command.optsWithGlobals())
  })

withNetwork(
  program
    .command('eval')
    .description('measure a model over a test set, by the protocol of a published table if asked')
    // The program's own --json takes no value, so that a file after it comes as an argument.
    .argument('[json-file]', 'after --json: file for the JSON document'),
)
  .option('--none', 'measure the inputs themselves, enlarged by bicubic interpolation: the baseline')
  .requiredOption(
    '--data <dir>',
    'inputs; the clean images where they are degraded; or pairs such as LQ and GT',
  )
  .option('--truth <dir>', 'clean images to compare with')
  .option('--match <rule>', 'partners of the truth: path, name, order, or a template such as {name}x4.png')
  .option('--degrade <spec>', 'damage the clean images of --data by a chain (see `limpid degrade --list`)')
  .option('--seed <n>', 'chance of --degrade and of sampling', '0')
  .option(
    '--protocol <name>',
    'how a published table was measured, such as restormer-gaussian-color or dasr-iso',
  )
  .option('--metrics <names>', `${metricsHelp} (default: those of the protocol, else psnr,ssim)`)
  .option('--crop <px>', 'border to leave out on every side (default: that of the protocol, else 0)')
  .option('--metric-weights <file>', metricWeightsHelp, collect, [])
  .option('--html <file>', 'report with the worst cases, crops side by side and difference maps')
  .option('--threads <n>', 'threads (default: one for each core)')
  .addOption(pixelLimit())
  .option('--overwrite', 'replace existing reports')
  .action(async (jsonFile: string | undefined, _, command: Command) => {
    const { evalCommand } = await import('./measure/eval.ts')
    await evalCommand(jsonFile, command.optsWithGlobals())
  })

program
  .command('detect')
  .description('tell which degradations photos have, and how likely')
  .argument('<input...>', "image files, folders or patterns such as 'photos/**/*.jpg'; '-' for stdin")
  .option('--recursive', 'take the folders inside folders too')
  .option('--model <id>', 'which model (default: light-detect)')
  .option('--weights <file>', 'checkpoint of a DA-CLIP: .safetensors, .pth, .pt or .ckpt')
  .option('--prompts <texts>', "texts to compare with, apart by commas (default: DA-CLIP's ten words)")
  .option('--top <n>', 'how many to tell (default: all)')
  .addOption(pixelLimit())
  .addOption(backend())
  .addOption(device())
  .action(async (inputs: string[], _, command: Command) => {
    const { detectCommand } = await import('./detect.ts')
    await detectCommand(inputs, command.optsWithGlobals())
  })

program
  .command('inspect')
  .description('tell what a weights file is, without running code from it')
  .argument('<file>', 'checkpoint: .safetensors, .pth, .pt or .ckpt')
  .option('--keys', 'list every tensor')
  .action(async (file: string, _, command: Command) => {
    const { inspectCommand } = await import('./networks/checkpoints.ts')
    inspectCommand(file, command.optsWithGlobals())
  })

program
  .command('convert')
  .description('write a checkpoint as safetensors, keys unchanged')
  .argument('<input>', 'checkpoint: .safetensors, .pth, .pt or .ckpt')
  .argument('<output>', 'file to write, *.safetensors')
  .addOption(new Option('--dtype <name>', 'convert floats').choices(['float32', 'float16', 'bfloat16']))
  .option('--overwrite', 'replace an existing output')
  .action(async (input: string, output: string, _, command: Command) => {
    const { convertCommand } = await import('./networks/checkpoints.ts')
    convertCommand(input, output, command.optsWithGlobals())
  })

program
  .command('export')
  .description('write a network as ONNX, checked in ONNX Runtime')
  .argument('<output>', 'file to write, *.onnx')
  .option('--model <id>', 'which published model (see `limpid models`)')
  .option('--weights <file>', 'checkpoint: .safetensors, .pth, .pt or .ckpt')
  .option('--task <name>', 'which task of weights for several, such as sr-x2')
  .option('--options <json>', 'options of the network that its weights do not tell')
  .option('--size <HxW>', 'input size in pixels, such as 256x256, where the network takes any')
  .option('--dynamic', 'any batch, height and width')
  .option('--overwrite', 'replace an existing output')
  .action(async (output: string, _, command: Command) => {
    const { exportCommand } = await import('./networks/export.ts')
    await exportCommand(output, command.optsWithGlobals())
  })

program
  .command('forward')
  .description('run raw tensors through a network')
  .requiredOption('--weights <file>', 'checkpoint: .safetensors, .pth, .pt or .ckpt')
  .requiredOption('--inputs <file>', 'safetensors file with the inputs by name')
  .requiredOption('--output <file>', 'safetensors file to write')
  .option('--options <json>', 'options of the network that its weights do not tell')
  .option('--call <json>', 'arguments of the call')
  .option('--overwrite', 'replace an existing output')
  .addOption(backend())
  .addOption(device())
  .action(async (_, command: Command) => {
    const { forwardCommand } = await import('./networks/forward.ts')
    await forwardCommand(command.optsWithGlobals())
  })

const models = program.command('models').description('published models that Limpid runs')
models
  .command('list', { isDefault: true })
  .description('all of them')
  .option('--task <name>', 'those for a task')
  .action(async (_, command: Command) => {
    const { listModels } = await import('./networks/models.ts')
    listModels(command.optsWithGlobals())
  })
models
  .command('show')
  .description('one of them')
  .argument('<id>')
  .action(async (id: string, _, command: Command) => {
    const { showModel } = await import('./networks/models.ts')
    showModel(id, command.optsWithGlobals())
  })
models
  .command('verify')
  .description('check the hash of weights and load them, those of the package or a file')
  .argument('[id]')
  .option('--weights <file>', 'checkpoint: .safetensors, .pth, .pt or .ckpt')
  .action(async (id: string | undefined, _, command: Command) => {
    const { verifyModels } = await import('./networks/models.ts')
    verifyModels(id, command.optsWithGlobals())
  })

program
  .command('train')
  .description('train a network by a recipe (see recipes/)')
  .argument('<recipe>', 'recipe file, *.ts')
  .option('--data <dir>', 'folder of the images, in place of the one the recipe names')
  .option('--out <dir>', 'folder for weights, state, log and report (default: runs/<recipe>)')
  .option('--set <key=value>', 'change a field, such as network.options.dim=24; may be repeated', collect, [])
  .option('--steps <n>', 'number of steps, in place of the one the recipe names')
  .option('--resume', 'go on where the training in --out stopped, or begin it')
  .option('--device <name>', 'auto, cpu or cuda[:N]', 'auto')
  .option('--threads <n>', 'threads of libtorch (default: one for each core)')
  .option('--workers <n>', 'threads that make batches (default: one for two cores, at most 8)')
  .option('--dry-run', 'check data and memory and try one step of every phase')
  .option('--overfit', 'check that one batch can be learned by heart')
  .action(async (recipe: string, _, command: Command) => {
    const { trainCommand } = await import('./train.ts')
    await trainCommand(recipe, command.optsWithGlobals())
  })

program
  .command('representations')
  .description(
    'show how a DASR encoder tells degradations apart, on a page, and how well width can be read from it',
  )
  .requiredOption('--weights <file>', 'checkpoint of a DASR: .safetensors, .pth, .pt or .ckpt')
  .requiredOption('--data <dir>', 'clean images to degrade')
  .requiredOption('-o, --output <file>', 'page to write, *.html')
  .option('--images <n>', 'how many images at most', '40')
  .option('--noise <levels>', 'deviations of noise, each with every width, such as 0,10,20', '0')
  .option('--overwrite', 'replace an existing page')
  .action(async (_, command: Command) => {
    const { representationsCommand } = await import('./measure/representations.ts')
    await representationsCommand(command.optsWithGlobals())
  })

program
  .command('setup')
  .description('find or install libtorch and build the addon (for training, CUDA and --backend torch)')
  .action(async (_, command: Command) => {
    const { setupCommand } = await import('./environment.ts')
    await setupCommand(command.optsWithGlobals())
  })

program
  .command('doctor')
  .description('tell what is found, what is missing and how to mend it')
  .action(async (_, command: Command) => {
    const { doctorCommand } = await import('./environment.ts')
    doctorCommand(command.optsWithGlobals())
  })

program
  .command('pack')
  .description('pack folders of images into tar shards for training (WebDataset layout)')
  .argument('<dir...>', 'folders of images; several give one sample of each name, a field for each folder')
  .requiredOption('-o, --output <dir>', 'folder for the shards and their index')
  .option('--shard-mb <n>', 'most megabytes in a shard', '1000')
  .option('--resume', 'keep the shards that are whole and unchanged')
  .option('--overwrite', 'replace existing shards')
  .action(async (folders: string[], _, command: Command) => {
    const { packCommand } = await import('./pack.ts')
    await packCommand(folders, command.optsWithGlobals())
  })

program
  .command('bench')
  .description('measure this machine against a reference')
  .argument('[name]')
  .option('--runs <n>', 'counted runs of each side', '5')
  .addOption(
    new Option('--dtype <name>', 'of train-restormer').choices(['float32', 'bfloat16']).default('float32'),
  )
  .action(async (name: string | undefined, { runs, dtype }: { runs: string; dtype: string }) => {
    const { runBenchmark } = await import('../../bench/main.ts')
    await runBenchmark([...(name ? [name] : []), '--runs', runs, '--dtype', dtype])
  })

// A reader such as `head` may leave before the end; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

try {
  await program.parseAsync()
} catch (error) {
  // Commander has printed its own message; help and version count as success.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else process.exitCode = reportError(error, program.opts<GlobalOptions>())
}
