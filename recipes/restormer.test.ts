import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { restormerDefaults } from '../src/models/restormer/restormer.ts'
import { cards } from '../src/registry/cards.ts'
import { checkRecipe } from '../src/train/preflight.ts'
import { phaseAt, type Recipe, rateAt } from '../src/train/recipe/recipe.ts'
import { compileRecipe } from '../src/train/recipe/recipeFile.ts'

const published = cards.filter(({ model }) => model === 'restormer')

test('every published Restormer has a recipe with the options of its card and the official settings', {
  timeout: 120_000,
}, async () => {
  expect(published).toHaveLength(13)
  const dir = mkdtempSync(join(tmpdir(), 'limpid-published-'))
  const imports = published.map(({ id }, i) => {
    const file = join(process.cwd(), 'recipes', 'restormer', `${id.replace('restormer-', '')}.ts`)
    return `import { recipe as r${i} } from '${file}'`
  })
  const list = published.map((_, i) => `r${i}`)
  writeFileSync(join(dir, 'all.ts'), `${imports.join('\n')}\nexport const recipe = [${list}]\n`)
  const compiled = compileRecipe(join(dir, 'all.ts'))
  try {
    const { recipe: recipes } = (await import(compiled.url)) as { recipe: readonly Recipe[] }
    for (const [i, recipe] of recipes.entries()) {
      const card = published[i]
      checkRecipe(recipe)
      expect(recipe.name).toBe(card?.id)
      expect(recipe.network.options).toEqual({ ...restormerDefaults, ...card?.options })
      expect(recipe).toMatchObject({ steps: 300_000, maxGradNorm: 0.01, accumulate: 8, seed: 100 })
      expect(rateAt(recipe, 196_000)).toBeCloseTo(1.505e-4, 9)
      const phases = [91_999, 92_000, 155_999, 204_000, 240_000, 276_000].map((step) =>
        phaseAt(recipe.data.phases, step),
      )
      expect(phases.map(({ crop, batch }) => `${crop} ${batch}`)).toEqual([
        '128 8',
        '160 5',
        '160 5',
        '256 2',
        '320 1',
        '384 1',
      ])
      expect(recipe.data.mixup !== undefined).toBe(card?.task === 'denoise')
    }
  } finally {
    compiled.dispose()
    rmSync(dir, { recursive: true, force: true })
  }
})
