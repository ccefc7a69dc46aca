// The parts of Limpid that depend on the version of Node.js, tested on another one: `npm run test:node -- 22`.
// The registry has the programs of Node.js itself as packages that need no install script.

import { spawnSync } from 'node:child_process'
import { delimiter, dirname } from 'node:path'

const tests = [
  'test/build.test.ts',
  'native/native.test.ts',
  'src/checkpoints',
  'src/cli/restore/restore.test.ts',
  'src/runtime/session',
  'src/train/recipe',
  'recipes',
  'test/train.test.ts',
]

/** Path of a version of Node.js, which npm downloads and keeps in its cache. */
function findNode(version: string): string {
  const name = `node-${process.platform}-${process.arch}@${version}`
  const args = ['exec', '--yes', `--package=${name}`, '--', 'node', '-p', 'process.execPath']
  const { status, stdout } = spawnSync('npm', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`test:node: npm cannot run ${name}`)
  return stdout.trim()
}

const [version] = process.argv.slice(2)
if (version === undefined) throw new Error('test:node: expected a version of Node.js, such as 22')
const node = findNode(version)
const PATH = `${dirname(node)}${delimiter}${process.env.PATH}`
console.log(`Node.js ${version}: ${node}`)
const { status } = spawnSync(node, ['node_modules/vitest/vitest.mjs', 'run', ...tests], {
  stdio: 'inherit',
  env: { ...process.env, PATH },
})
process.exitCode = status ?? 1
