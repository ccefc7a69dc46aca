import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { libtorchMissing } from './libtorch.ts'

/** The README's TypeScript examples, with imports of the package redirected to the sources. */
function examples(): string[] {
  const readme = readFileSync('README.md', 'utf8')
  const blocks = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => code)
  return blocks.map((code) =>
    code.replace("'limpid/train'", "'../src/train.ts'").replace("'limpid'", "'../src/index.ts'"),
  )
}

test.skipIf(libtorchMissing !== undefined)(
  'the training example in the README runs, and its loss falls',
  { timeout: 120_000 },
  async () => {
    const example = examples().find((code) => code.includes('trainStep')) ?? ''
    const folder = mkdtempSync(join(process.cwd(), 'runs-readme-'))
    try {
      writeFileSync(join(folder, 'example.mts'), example)
      const output = await new Promise<string>((resolve, reject) => {
        execFile(
          process.execPath,
          ['--import', 'tsx', join(folder, 'example.mts')],
          (error, stdout, stderr) => (error ? reject(new Error(stderr)) : resolve(stdout)),
        )
      })
      const losses = output
        .trim()
        .split('\n')
        .map((line) => Number(line.split(' ')[1]))
      expect(losses.length).toBe(20)
      expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
)
