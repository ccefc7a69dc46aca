// The command line as it is typed: values, examples and help. The commands themselves are not run.

import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { describe, expect, test } from 'vitest'
import { buildProgram } from '../buildProgram.ts'

interface Call {
  readonly command: string
  readonly args: readonly unknown[]
  readonly options: Readonly<Record<string, unknown>>
}

function leaves(command: CommandUnknownOpts): readonly CommandUnknownOpts[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves)
}

/** What a command is called with. */
async function parse(...words: readonly string[]): Promise<Call> {
  const program = buildProgram()
  let call: Call | undefined
  for (const leaf of leaves(program))
    leaf.action(() => {
      call = { command: leaf.name(), args: leaf.processedArgs, options: leaf.optsWithGlobals() }
    })
  await program.parseAsync([...words], { from: 'user' })
  if (!call) throw new Error('expected a command to be called')
  return call
}

/** Words of a shell command; quotes hold them together. */
function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/'([^']*)'|([^\s']+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')
}

/** Help as it is printed, with what follows it. */
function helpOf(command: CommandUnknownOpts): string {
  let text = ''
  command.configureOutput({
    writeOut: (part) => {
      text += part
    },
    getOutHelpWidth: () => 100,
  })
  command.outputHelp()
  return text
}

const all = leaves(buildProgram())

describe('help', () => {
  test.each(all.map((command) => [command.name(), command] as const))(
    'of %s ends with two examples that parse',
    async (name, command) => {
      const [, after = ''] = helpOf(command).split('\nExamples:\n')
      const lines = after.trimEnd().split('\n')
      expect(lines).toHaveLength(2)
      for (const line of lines) {
        expect(line).toMatch(/^ {2}limpid /)
        expect((await parse(...wordsOf(line).slice(1))).command).toBe(name)
      }
    },
  )

  test('groups the commands', () => {
    const text = helpOf(buildProgram())
    const headings = [...text.matchAll(/^(\w.*):$/gm)].map(([, heading]) => heading)
    expect(headings).toEqual([
      'Options',
      'Restore photos',
      'Serve',
      'Measure',
      'Train',
      'Weights and networks',
      'Environment',
      'Commands',
      'Examples',
    ])
  })

  test('of every command has a line for each option, none of them wider than a screen', () => {
    for (const command of all) {
      const text = helpOf(command)
      for (const { long = '' } of command.options) expect(text).toContain(long)
      for (const line of text.split('\n').filter((one) => !one.includes('limpid ')))
        expect(line.length).toBeLessThan(101)
    }
  })
})

const weights = ['--weights', 'w']
const page = [...weights, '--data', 'd', '-o', 'p']

test.each([
  ['restore x --strength 1.5', '--strength: expected a number from 0 to 1, got 1.5'],
  ["restore x --strength ''", '--strength: expected a number from 0 to 1, got nothing'],
  ['restore x --quality 0', '--quality: expected a whole number from 1 to 100, got 0'],
  ['restore x --quality 92.5', '--quality: expected a whole number from 1 to 100, got 92.5'],
  ['restore x --quality 1e1', '--quality: expected a whole number from 1 to 100, got 1e1'],
  ['restore x --scale big', '--scale: expected a number from 1 to 8, got big'],
  ["restore x --options '[]'", '--options: expected a JSON object such as \'{"dim":48}\', got []'],
  ['restore x --threads 0', '--threads: expected a whole number from 1 to 1024, got 0'],
  ['restore x --threads 5000', '--threads: expected a whole number from 1 to 1024, got 5000'],
  ['restore x --jobs 1000', '--jobs: expected a whole number from 1 to 256, got 1000'],
  ['restore x --samples 0', '--samples: expected a whole number from 1 to 1000, got 0'],
  ['restore x --steps few', '--steps: expected a whole number of at least 1, got few'],
  ['restore x --seed -1', '--seed: expected a whole number of at least 0, got -1'],
  ["restore x --seed ''", '--seed: expected a whole number of at least 0, got nothing'],
  ['restore x --seed 99999999999999999999', '--seed: expected a whole number of at least 0, got 9999'],
  ['restore x --noise 300', '--noise: expected a number from 0 to 255, got 300'],
  ['restore x --max-sigma 0', '--max-sigma: expected a number from 1 to 255, got 0'],
  ['restore x --sampler euler', '--sampler: expected posterior, sde, mean or ode, got euler'],
  ['restore x --tile 7', '--tile: expected auto, none or a whole number of at least 8, got 7'],
  [
    'restore x --sampler odee',
    '--sampler: expected posterior, sde, mean or ode, got odee; did you mean ode?',
  ],
  ['restore x --pages 0', '--pages: expected all or a whole number of at least 1, got 0'],
  ['restore x --pixel-limit 0', '--pixel-limit: expected megapixels above 0 and at most 1000000, got 0'],
  ['restore x --device gpu', '--device: expected auto, cpu, webgpu or cuda[:N], got gpu'],
  [
    'forward --weights w --inputs i --output o --device cuda:x',
    '--device: expected auto, cpu or cuda[:N], got cuda:x',
  ],
  [
    'forward --weights w --inputs i --output o --device webgpu',
    '--device: expected auto, cpu or cuda[:N], got webgpu',
  ],
  ['train r.ts --device webgpu', '--device: expected auto, cpu or cuda[:N], got webgpu'],
  ['train r.ts --set seed', '--set: expected key=value such as seed=1, got seed'],
  ['train r.ts --workers 300', '--workers: expected a whole number from 0 to 256, got 300'],
  ['export o.onnx --size 60', '--size: expected a height and width in pixels such as 256x384, got 60'],
  ['convert a b --dtype int8', '--dtype: expected float32, float16 or bfloat16, got int8'],
  ['pack d -o o --shard-mb 0', '--shard-mb: expected a whole number from 1 to 1000000, got 0'],
  [
    'compare a b --metrics psnr,,ssim',
    '--metrics: expected parts separated by single commas, got psnr,,ssim',
  ],
  [
    `representations ${page.join(' ')} --noise 0,loud`,
    '--noise: expected levels from 0 to 255 such as 0,10,20, got 0,loud',
  ],
  [`representations ${page.join(' ')} --images 2`, '--images: expected a whole number of at least 4, got 2'],
])('limpid %s is refused', async (line, message) => {
  await expect(parse(...wordsOf(line))).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining(message),
  })
})

test('values come typed, with the program’s own options before or after the command', async () => {
  const { options } = await parse(
    ...['--json', 'restore', 'x', '--tile', '256', '--pixel-limit', '0.5', '--device', 'cuda:01', '--quiet'],
  )
  expect(options).toMatchObject({
    json: true,
    quiet: true,
    tile: 256,
    pixelLimit: 500_000,
    device: 'cuda:1',
    strength: 1,
  })
  const { options: training } = await parse('train', 'r.ts', '--set', 'a=1', '--set', 'b=x=y')
  expect(training.set).toEqual([
    ['a', '1'],
    ['b', 'x=y'],
  ])
  expect((await parse('models', '--task', 'derain')).options.task).toBe('derain')
  expect((await parse('export', 'o.onnx', '--size', '256x384')).options.size).toEqual({ h: 256, w: 384 })
})
