import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { builtModule } from '../../../test/limpid.ts'
import { machine } from '../../files/processes.ts'
import { importRecipe } from './recipeModule.ts'

/** As built, which compiles against declarations alone: twice as fast. */
const { compileRecipe }: typeof import('./recipeFile.ts') = await import(
  builtModule('src/train/recipe/recipeFile')
)

const dir = mkdtempSync(join(tmpdir(), 'limpid-recipes-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function write(name: string, text: string): string {
  writeFileSync(join(dir, name), text)
  return join(dir, name)
}

test('a recipe outside the package imports limpid/train and files beside it', {
  timeout: 60_000,
}, async () => {
  mkdirSync(join(dir, 'shared'))
  write('shared/rate.ts', 'export const rate: number = 2e-4 // a comment\n')
  const file = write(
    'good.ts',
    `import { constant } from 'limpid/train'
     import { join } from 'node:path'
     import { rate } from './shared/rate.ts'
     export const recipe = { name: join('a', 'b'), learningRate: constant(rate) }`,
  )
  const compiled = compileRecipe(file)
  const recipe = await importRecipe({ url: compiled.url, settings: [] })
  expect(recipe.name).toBe('a/b')
  expect(typeof recipe.learningRate === 'function' && recipe.learningRate(0)).toBe(2e-4)
  const again = compileRecipe(
    write('shared/../good.ts', `// Another comment.\n${readFileSync(file, 'utf8')}`),
  )
  expect(again.code).toBe(compiled.code)
  compiled.dispose()
  again.dispose()
  expect(existsSync(fileURLToPath(compiled.url))).toBe(false)
})

test('a recipe below node_modules runs, and what a killed process left is removed', {
  timeout: 60_000,
}, async () => {
  const installed = join(dir, 'node_modules', 'recipes')
  mkdirSync(installed, { recursive: true })
  write('node_modules/recipes/rate.ts', 'export const rate: number = 3e-4\n')
  const file = write(
    'node_modules/recipes/mine.ts',
    `import { constant } from 'limpid/train'
     import { rate } from './rate.ts'
     export const recipe = { learningRate: constant(rate) }`,
  )
  // No process has this id.
  const leftover = join(tmpdir(), `limpid-recipe-${machine()}-${2 ** 30}-abcdef`)
  mkdirSync(leftover)
  const compiled = compileRecipe(file)
  const recipe = await importRecipe({ url: compiled.url, settings: [] })
  expect(typeof recipe.learningRate === 'function' && recipe.learningRate(0)).toBe(3e-4)
  expect(existsSync(leftover)).toBe(false)
  compiled.dispose()
})

test('a recipe that does not type-check is rejected with file, line and the compiler’s message', {
  timeout: 60_000,
}, () => {
  const file = write(
    'bad.ts',
    `import { constant } from 'limpid/train'\n\nexport const recipe = constant('fast')\n`,
  )
  expect(() => compileRecipe(file)).toThrow(
    /bad\.ts:3:32 Argument of type 'string' is not assignable to parameter of type 'number'/,
  )
})

test('a file that exports no recipe and a missing file are rejected', {
  timeout: 60_000,
}, async () => {
  const compiled = compileRecipe(write('none.ts', 'export const other = 1\n'))
  await expect(importRecipe({ url: compiled.url, settings: [] })).rejects.toThrow(
    'expected an export named recipe',
  )
  compiled.dispose()
  expect(() => compileRecipe(join(dir, 'missing.ts'))).toThrow('no such file')
})
