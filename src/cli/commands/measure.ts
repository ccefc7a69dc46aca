// Declarations of limpid compare, eval, detect, degrade and representations.

import { defaultTask } from '../../models/tasks.ts'
import {
  backendOption,
  backgroundOption,
  checkpointHelp,
  cropOption,
  deviceOption,
  examples,
  formatOption,
  imagesHelp,
  metricsOption,
  metricWeightsOption,
  networkCommand,
  overwriteOption,
  type Program,
  pagesOption,
  parsed,
  pixelLimitOption,
  qualityOption,
  reportOption,
  seedOption,
  tensorsOption,
} from './options.ts'
import { decimals, list, whole } from './parsers.ts'

const compareMetrics: readonly string[] = ['psnr', 'ssim', 'psnr-y', 'ssim-y', 'mae']

export function declareCompare(program: Program) {
  return program
    .command('compare')
    .description('measure an image against a reference, or a folder against a folder')
    .argument('<reference>', 'image or folder that is right')
    .argument('<output>', 'image or folder to judge; files are paired by path, ignoring extensions')
    .addOption(
      metricsOption('comma-separated; an unknown name lists all').default(
        compareMetrics,
        compareMetrics.join(','),
      ),
    )
    .addOption(cropOption('border to ignore on every side').default(0))
    .option('--map <path>', 'write difference maps: a file, or a folder for folders')
    .addOption(parsed('--gain <n>', 'amplification of the map (default: 4)', whole(1, 255)))
    .addOption(metricWeightsOption())
    .addOption(pixelLimitOption())
    .addOption(reportOption())
    .addOption(overwriteOption())
    .addHelpText(
      'after',
      examples(
        'limpid compare clean.png restored.png --map difference.png',
        'limpid compare clean restored --metrics psnr,ssim --crop 4',
      ),
    )
}

export function declareEval(program: Program) {
  return networkCommand(program, 'eval', defaultTask)
    .description('measure a model over a test set, optionally by the protocol of a published table')
    .option('--none', 'measure the inputs themselves, enlarged bicubically: the baseline')
    .requiredOption(
      '--data <dir>',
      'inputs, clean images for --degrade or --protocol, or pairs such as LQ and GT',
    )
    .option('--truth <dir>', 'clean images to compare with')
    .option(
      '--match <rule>',
      'how inputs find their truth: path, name, order, or a template such as {name}x4.png',
    )
    .option('--degrade <spec>', 'degrade the clean images of --data (see `limpid degrade --list`)')
    .addOption(seedOption('random seed of --degrade and of sampling').default(0))
    .option(
      '--protocol <name>',
      'how a published table was measured, such as restormer-gaussian-color or dasr-iso',
    )
    .addOption(metricsOption('comma-separated (default: by protocol, else psnr,ssim)'))
    .addOption(cropOption('border to ignore on every side (default: by protocol, else 0)'))
    .addOption(metricWeightsOption())
    .option('--html <file>', 'write a report with the worst cases, crops side by side and difference maps')
    .addOption(reportOption())
    .addOption(pixelLimitOption())
    .addOption(overwriteOption())
    .addHelpText(
      'after',
      examples(
        'limpid eval --model light-denoise --data CBSD68 --degrade noise:sigma=25',
        'limpid eval --weights deraining.pth --data Rain100L --protocol restormer-derain --report table.json',
      ),
    )
}

export function declareDetect(program: Program) {
  return program
    .command('detect')
    .description('tell what is wrong with photos and what would be done, or which words describe them')
    .argument('<input...>', imagesHelp)
    .option('--recursive', 'include subfolders')
    .addOption(pagesOption('all'))
    .option(
      '--model <id>',
      'light-inspect, or a DA-CLIP such as light-detect (default: light-inspect; with --prompts or --top light-detect)',
    )
    .option('--weights <file>', `${checkpointHelp}, of a DA-CLIP, or of light-inspect`)
    .addOption(tensorsOption())
    .addOption(
      parsed(
        '--prompts <texts>',
        'comma-separated texts to compare with by a DA-CLIP (default: ten words)',
        list,
      ),
    )
    .addOption(parsed('--top <n>', 'how many words to print (default: all)', whole(1)))
    .addOption(reportOption())
    .addOption(pixelLimitOption())
    .addOption(overwriteOption())
    .addOption(backendOption())
    .addOption(deviceOption())
    .addHelpText(
      'after',
      examples('limpid detect photo.jpg', "limpid detect photos --recursive --prompts 'noisy,hazy,clean'"),
    )
}

export function declareDegrade(program: Program) {
  return program
    .command('degrade')
    .description('damage images by a chain of degradations, to train or test with')
    .argument('[input...]', imagesHelp)
    .option('-o, --output <path>', "file, folder (keeps names and tree), or '-' for stdout")
    .option('--recursive', 'include subfolders')
    .addOption(pagesOption())
    .option('--with <spec>', 'degradations in order, each with its settings')
    .option('--list', 'list the degradations with their parameters')
    .addOption(seedOption('random seed; seed and file name decide the damage').default(0))
    .addOption(formatOption('by output name; in folders TIFF stays and all else becomes PNG'))
    .addOption(qualityOption())
    .addOption(backgroundOption())
    .addOption(reportOption())
    .addOption(pixelLimitOption())
    .addOption(overwriteOption())
    .addHelpText(
      'after',
      examples(
        "limpid degrade photos -o damaged --with 'blur:sigma=1..3 noise:sigma=25 jpeg:quality=40'",
        'limpid degrade photo.png -o rainy.png --with rain:amount=60 --seed 7',
      ),
    )
}

export function declareRepresentations(program: Program) {
  return program
    .command('representations')
    .description('plot how a DASR encoder separates degradations, with a linear probe')
    .requiredOption('--weights <file>', `${checkpointHelp}, of a DASR`)
    .addOption(tensorsOption())
    .requiredOption('--data <dir>', 'clean images to degrade')
    .requiredOption('-o, --output <file>', 'page to write, *.html')
    .addOption(parsed('--images <n>', 'most images to use', whole(4)).default(40))
    .addOption(
      parsed(
        '--noise <levels>',
        'noise levels, each with every blur, such as 0,10,20',
        decimals(0, 255, '0,10,20'),
      ).default([0] as readonly number[], '0'),
    )
    .addOption(overwriteOption())
    .addHelpText(
      'after',
      examples(
        'limpid representations --weights model_600.pt --data photos -o page.html',
        'limpid representations --weights model_600.pt --data photos -o page.html --images 20 --noise 0,10',
      ),
    )
}

export type CompareOptions = ReturnType<ReturnType<typeof declareCompare>['optsWithGlobals']>
export type EvalOptions = ReturnType<ReturnType<typeof declareEval>['optsWithGlobals']>
export type DetectOptions = ReturnType<ReturnType<typeof declareDetect>['optsWithGlobals']>
export type DegradeOptions = ReturnType<ReturnType<typeof declareDegrade>['optsWithGlobals']>
export type RepresentationsOptions = ReturnType<ReturnType<typeof declareRepresentations>['optsWithGlobals']>
