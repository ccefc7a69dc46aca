// Options that several commands have, and how the program and its help are built.

import { Command, Help, Option } from '@commander-js/extra-typings'
import { packageVersion } from '../../data/packageFiles.ts'
import { tasks } from '../../models/tasks.ts'
import {
  decimal,
  device,
  fileShare,
  jsonObject,
  list,
  megapixels,
  oneOf,
  type Parser,
  pages,
  tileSide,
  torchDevice,
  whole,
} from './parsers.ts'

/** The program without its commands, which inherit how help is printed; errors of usage are thrown. */
export function createProgram() {
  return new Command('limpid')
    .description('Restores photos (noise, blur, rain, low resolution) and trains the networks that do it.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print the help of a command')
    .option('--json', 'print one JSON document on stdout instead of text')
    .option('--quiet', 'print results and errors only')
    .option('--verbose', 'print the stack trace of an error')
    .addHelpText(
      'after',
      `\nlimpid COMMAND --help prints the options of a command.\n${examples('limpid restore photo.jpg', 'limpid restore --help')}`,
    )
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, groupItems: ownOptionsFirst })
    .configureOutput({ outputError: () => {} })
}

export type Program = ReturnType<typeof createProgram>

/** Groups of options as commander makes them, but a command's own options before those of its network. */
function ownOptionsFirst<T extends Command | Option>(
  all: T[],
  visible: T[],
  groupOf: (item: T) => string,
): Map<string, T[]> {
  const groups = new Help().groupItems(all, visible, groupOf)
  const own = 'Options:'
  return new Map([...groups].sort(([a], [b]) => Number(b === own) - Number(a === own)))
}

/** An option with its parser. */
export function parsed<const Usage extends string, T>(usage: Usage, description: string, parse: Parser<T>) {
  const name = /--[a-z-]+/.exec(usage)?.[0] ?? usage
  return new Option(usage, description).argParser((text: string): T => parse(text, name))
}

/** An option that may be repeated. */
export function repeated<const Usage extends string, T>(usage: Usage, description: string, parse: Parser<T>) {
  const name = /--[a-z-]+/.exec(usage)?.[0] ?? usage
  const add = (text: string, before: readonly T[] = []): readonly T[] => [...before, parse(text, name)]
  return new Option(usage, description).argParser<readonly T[]>(add)
}

/** Ends a command's help with examples; they are parsed in a test. */
export function examples(...lines: readonly [string, string]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`
}

export const imagesHelp = "image files, folders or patterns such as 'photos/**/*.jpg'; '-' for stdin"
export const checkpointHelp = 'checkpoint: .safetensors, .pth, .pt or .ckpt'
export const weightsHelp = `${checkpointHelp}; or .onnx`
const text: Parser<string> = (value) => value

export const tensorsOption = () =>
  new Option(
    '--tensors <path>',
    'which tensors, where a file holds several sets, such as params_ema or generator',
  )

/** Threads that a machine may sensibly be asked for. */
export const threadCount = whole(1, 1024)

export const backendOption = () =>
  parsed('--backend <name>', 'auto, onnx or torch', oneOf(['auto', 'onnx', 'torch'])).default('auto')

const dtypeOption = () =>
  parsed(
    '--dtype <name>',
    'float32; bfloat16 on processors that have it; or auto: bfloat16 where measured faster and within 50 dB, else float32',
    oneOf(['auto', 'float32', 'bfloat16']),
  ).default('float32')

export const deviceOption = () =>
  parsed('--device <name>', 'auto, cpu, webgpu or cuda[:N]', device).default('auto')

export const torchDeviceOption = () =>
  parsed('--device <name>', 'auto, cpu or cuda[:N]', torchDevice).default('auto')

export const pixelLimitOption = () =>
  parsed(
    '--pixel-limit <megapixels>',
    'largest image to read (default: 268); raise it for files you trust',
    megapixels,
  )

export const pagesOption = (all = 'all: each into a file of its own') =>
  parsed('--pages <which>', `page of a document or frame of an animation, from 1, or ${all}`, pages)

export const qualityOption = () =>
  parsed('--quality <n>', '1 to 100 for JPEG and WebP (default: 95) and AVIF (default: 80)', whole(1, 100))

export const backgroundOption = () =>
  new Option('--background <color>', "color that replaces transparency, such as white or '#ff8800'")

export const formatOption = (usual: string) =>
  parsed('--format <name>', `png, jpg, webp, tiff or avif (default: ${usual})`, (text) => text.toLowerCase())

export const seedOption = (description: string) => parsed('--seed <n>', description, whole(0))

export const reportOption = () => new Option('--report <file>', 'also write the JSON document to a file')

export const queueHelp = 'redis://… or postgres://… of the queue that many machines share'
export const storeHelp = 'folder that these machines share, or s3://bucket'

export const overwriteOption = () => new Option('--overwrite', 'replace existing files')

export const networkOptionsOption = () =>
  parsed('--options <json>', 'options of the network that its weights do not tell', jsonObject)

export const metricsOption = (description: string) => parsed('--metrics <names>', description, list)

export const cropOption = (description: string) => parsed('--crop <px>', description, whole(0))

export const metricWeightsOption = () =>
  repeated('--metric-weights <file>', 'weights of LPIPS or FID; may be repeated', text)

const samplers = ['posterior', 'sde', 'mean', 'ode'] as const

/** A command that runs a network on pictures: which network, and how. */
export function networkCommand(program: Program, name: string, defaultTask: string) {
  return program
    .command(name)
    .optionsGroup('Network:')
    .option(
      '--task <name>',
      `${tasks.map(({ id }) => id).join(', ')} (default: ${defaultTask}); auto, which finds out what is wrong; several, such as denoise,upscale, run one after another; or a task of the weights, such as sr-x2`,
    )
    .option('--model <id>', 'published model (see `limpid models`)')
    .addOption(
      parsed(
        '--prefer <which>',
        'without --model: packaged, or fetched where one is better for the task (default: packaged)',
        oneOf(['packaged', 'fetched']),
      ),
    )
    .option('--weights <file>', `${checkpointHelp}, of any supported network; or .onnx`)
    .addOption(tensorsOption())
    .addOption(
      parsed(
        '--mix <file=share>',
        'second file of the same network; 0 to 1 of its weights are mixed into the first',
        fileShare,
      ),
    )
    .addOption(
      parsed(
        '--scale <n>',
        'enlargement, 1 to 8, for models that enlarge (default: their own)',
        decimal(1, 8),
      ),
    )
    .addOption(networkOptionsOption())
    .option('--guide <file>', 'second network that some samplers require: a DA-CLIP, or a latent compressor')
    .optionsGroup('Sampling, for diffusion networks:')
    .addOption(parsed('--steps <n>', 'steps; fewer are faster (default: as trained)', whole(1)))
    .addOption(parsed('--sampler <name>', `${samplers.join(', ')} (default: as published)`, oneOf(samplers)))
    .addOption(
      parsed(
        '--samples <n>',
        'average n samples; restore also writes each of them, and a map of where they differ',
        whole(1, 1000),
      ),
    )
    .addOption(parsed('--noise <sigma>', 'noise in the photo, 0 to 255, for denoising SDEs', decimal(0, 255)))
    .addOption(
      parsed(
        '--max-sigma <n>',
        'largest sigma of the SDE, 1 to 255, if the weights do not tell',
        decimal(1, 255),
      ),
    )
    .optionsGroup('Tiles and device:')
    .addOption(
      parsed(
        '--tile <px>',
        'side of a tile, none for the whole image, or auto by free memory',
        tileSide,
      ).default('auto'),
    )
    .addOption(parsed('--overlap <px>', 'least overlap of tiles (default: by network)', whole(0)))
    .addOption(
      parsed(
        '--blend <name>',
        'how tiles are joined: smooth, or official for parity with published figures',
        oneOf(['smooth', 'official']),
      ).default('smooth'),
    )
    .option('--self-ensemble', 'mean over eight flips and rotations: slightly better, eight times slower')
    .addOption(backendOption())
    .addOption(deviceOption())
    .addOption(dtypeOption())
    .addOption(
      parsed('--threads <n>', 'most CPU threads, never more than cores (default: all cores)', threadCount),
    )
    .optionsGroup('Options:')
}

export type NetworkCommandOptions = ReturnType<ReturnType<typeof networkCommand>['optsWithGlobals']>
