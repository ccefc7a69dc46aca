// Runs the TypeScript examples of the README and of the guide for Node.

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterAll, expect, test } from 'vitest'
import { libtorchMissing } from './libtorch.ts'
import { builtModule } from './limpid.ts'

const folder = mkdtempSync(join(process.cwd(), 'runs-readme-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** TypeScript examples of a page, with imports of the package redirected to what is built. */
function examplesOf(page: string): readonly string[] {
  const blocks = [...readFileSync(page, 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => code)
  const built = (name: string) => JSON.stringify(pathToFileURL(builtModule(name)).href)
  return blocks.map((code) =>
    code.replace("'limpid/train'", built('src/train')).replace("'limpid'", built('src/index')),
  )
}

/** Runs a program in the folder; returns what it printed. */
async function run(program: string): Promise<string> {
  writeFileSync(join(folder, 'program.mts'), program)
  const args = ['--import', 'tsx', 'program.mts']
  return (await promisify(execFile)(process.execPath, args, { cwd: folder })).stdout
}

test.skipIf(libtorchMissing !== undefined)(
  'the training example in the README runs, and its loss falls',
  { timeout: 120_000 },
  async () => {
    const output = await run(examplesOf('README.md').find((code) => code.includes('trainStep')) ?? '')
    const losses = output
      .trim()
      .split('\n')
      .map((line) => Number(line.split(' ')[1]))
    expect(losses.length).toBe(20)
    expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0)
  },
)

test('the examples for Node run one after another', { timeout: 120_000 }, async () => {
  const part = { left: 160, top: 200, width: 40, height: 32 }
  for (const name of ['photo.png', 'photo.jpg', 'small.jpg', 'a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'])
    await sharp(join('examples', 'noisy.jpg')).extract(part).toFile(join(folder, name))
  // A server runs until it is stopped.
  const examples = examplesOf('docs/use-from-node.md').filter((code) => !code.includes('createServer'))
  const names = examples.map((code, i) => {
    writeFileSync(join(folder, `example-${i}.mts`), code)
    return `./example-${i}.mts`
  })
  expect(names.length).toBeGreaterThan(8)
  const output = await run(`for (const name of ${JSON.stringify(names)}) await import(name)`)
  expect(output).toMatch(/^light-photo on cpu, 1 tiles/m)
  for (const name of [
    'clean.png',
    'large.jpg',
    'clean-c.jpg',
    'restored-d.jpg',
    'checked.jpg',
    'damaged.png',
  ])
    expect(existsSync(join(folder, name)), name).toBe(true)
})
