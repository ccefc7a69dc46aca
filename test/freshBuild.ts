// Builds the program before tests run it, unless it is newer than its sources.

import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { builtModule } from './limpid.ts'

export function setup(project: TestProject): void {
  build()
  project.onTestsRerun(build)
}

function build(): void {
  const built = statSync(builtModule('src/bundle/cli/program'), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const isNewer = (name: string) => name.endsWith('.ts') && statSync(name).mtimeMs > built
  const inside = ['src', 'native', 'test/fixtures'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  const sources = [...inside, 'test/training.ts', 'test/limpid.ts']
  if (sources.some((name) => isNewer(name) && !name.endsWith('.test.ts')))
    execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
}
