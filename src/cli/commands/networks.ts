// Declarations of limpid models, inspect, convert, export and forward.

import {
  backendOption,
  checkpointHelp,
  examples,
  networkOptionsOption,
  overwriteOption,
  type Program,
  parsed,
  tensorsOption,
  torchDeviceOption,
  weightsHelp,
} from './options.ts'
import { jsonObject, oneOf, size } from './parsers.ts'

export function declareInspect(program: Program) {
  return program
    .command('inspect')
    .description('show what a weights file holds, without running code from it')
    .argument('<file>', weightsHelp)
    .addOption(tensorsOption())
    .option('--keys', 'list every tensor')
    .addHelpText(
      'after',
      examples('limpid inspect deraining.pth', 'limpid inspect deraining.pth --keys --json'),
    )
}

export function declareConvert(program: Program) {
  return program
    .command('convert')
    .description('write a checkpoint as safetensors, keys unchanged')
    .argument('<input>', checkpointHelp)
    .argument('<output>', 'file to write, *.safetensors, or a folder')
    .addOption(tensorsOption())
    .addOption(
      parsed(
        '--dtype <name>',
        'float32, float16 or bfloat16 (default: as it is)',
        oneOf(['float32', 'float16', 'bfloat16']),
      ),
    )
    .addOption(overwriteOption())
    .addHelpText(
      'after',
      examples(
        'limpid convert deraining.pth deraining.safetensors',
        'limpid convert training.pth half.safetensors --tensors generator --dtype float16',
      ),
    )
}

export function declareExport(program: Program) {
  return program
    .command('export')
    .description('write a network as ONNX, checked in ONNX Runtime')
    .argument('<output>', "file to write, *.onnx, a folder, or '-' for stdout")
    .option('--model <id>', 'published model (see `limpid models`)')
    .option('--weights <file>', checkpointHelp)
    .addOption(tensorsOption())
    .option('--task <name>', 'task, for weights with several, such as sr-x2')
    .addOption(networkOptionsOption())
    .addOption(
      parsed('--size <HxW>', 'input size in pixels such as 256x384, for networks that take any', size),
    )
    .option('--dynamic', 'any batch, height and width')
    .addOption(overwriteOption())
    .addHelpText(
      'after',
      examples(
        'limpid export light.onnx --model light-photo --size 256x256',
        'limpid export deraining.onnx --weights deraining.pth --dynamic',
      ),
    )
}

export function declareForward(program: Program) {
  return program
    .command('forward')
    .description('run raw tensors through a network, for parity checks')
    .requiredOption('--weights <file>', checkpointHelp)
    .addOption(tensorsOption())
    .requiredOption('--inputs <file>', 'safetensors file with the inputs by name')
    .requiredOption('--output <file>', 'safetensors file to write')
    .addOption(networkOptionsOption())
    .addOption(parsed('--call <json>', 'arguments of the call', jsonObject))
    .addOption(overwriteOption())
    .addOption(backendOption())
    .addOption(torchDeviceOption())
    .addHelpText(
      'after',
      examples(
        'limpid forward --weights deraining.pth --inputs in.safetensors --output out.safetensors',
        'limpid forward --weights deraining.pth --inputs in.safetensors --output out.safetensors --backend torch',
      ),
    )
}

export function declareModels(program: Program) {
  const models = program.command('models').description('list, show and verify published models')
  const list = models
    .command('list', { isDefault: true })
    .description('list the models (default)')
    .option('--task <name>', 'those for a task')
    // The first would be a command with a typing error.
    .allowExcessArguments()
    .option('--available', 'those that `limpid fetch` knows, with license and size')
    .addHelpText('after', examples('limpid models', 'limpid models list --available --task upscale'))
  const show = models
    .command('show')
    .description('show the facts of a model')
    .argument('<id>', 'model, such as light-photo')
    .addHelpText(
      'after',
      examples('limpid models show light-photo', 'limpid models show dasr-x4-aniso --json'),
    )
  const verify = models
    .command('verify')
    .description('check the hash of weights and load them: those of the package, or a file')
    .argument('[id]', 'model (default: all in the package)')
    .option('--weights <file>', checkpointHelp)
    .addOption(tensorsOption())
    .addHelpText(
      'after',
      examples('limpid models verify', 'limpid models verify restormer-derain --weights deraining.pth'),
    )
  models.addHelpText('after', examples('limpid models --task upscale', 'limpid models show light-photo'))
  return { list, show, verify }
}

export function declareFetch(program: Program) {
  return program
    .command('fetch')
    .description('fetch models of the community and official weights, after showing license and size')
    .argument(
      '[name...]',
      'models (see `limpid models --available`), lpips, fid, or an address; none lists what is there',
    )
    .option('--yes', 'do not ask')
    .option('--from <source>', 'take the files from a mirror, a folder or a file instead of their address')
    .option(
      '--sha256 <hash>',
      'SHA-256 of the file at an address; without it the file must load as a network',
    )
    .option('--remove', 'delete the files instead')
    .addHelpText(
      'after',
      `
Files are kept in LIMPID_MODELS, or in \`models\` in the cache folder. HTTPS_PROXY, HTTP_PROXY
and NO_PROXY are followed. LIMPID_OFFLINE=1 forbids the network.${examples('limpid fetch real-esrgan-x4plus', 'limpid fetch lpips fid --yes')}`,
    )
}

type Models = ReturnType<typeof declareModels>
export type InspectOptions = ReturnType<ReturnType<typeof declareInspect>['optsWithGlobals']>
export type ConvertOptions = ReturnType<ReturnType<typeof declareConvert>['optsWithGlobals']>
export type ExportOptions = ReturnType<ReturnType<typeof declareExport>['optsWithGlobals']>
export type ForwardOptions = ReturnType<ReturnType<typeof declareForward>['optsWithGlobals']>
export type FetchCommandOptions = ReturnType<ReturnType<typeof declareFetch>['optsWithGlobals']>
export type ListOptions = ReturnType<Models['list']['optsWithGlobals']>
export type VerifyOptions = ReturnType<Models['verify']['optsWithGlobals']>
