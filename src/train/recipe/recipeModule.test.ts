import { expect, test } from 'vitest'
import { withSetting } from './recipeModule.ts'

const recipe = {
  seed: 1,
  name: 'one',
  steps: 10,
  learningRate: (step: number): number => step,
  data: { phases: [{ crop: 8 }, { crop: 16 }], sample: () => 0 },
}

test('a setting replaces a nested field and leaves the original unchanged', () => {
  const changed = withSetting(recipe, 'data.phases.1.crop', '32')
  expect(changed.data.phases).toEqual([{ crop: 8 }, { crop: 32 }])
  expect(recipe.data.phases[1]).toEqual({ crop: 16 })
  expect(withSetting(recipe, 'name', '7').name).toBe('7')
  expect(withSetting(recipe, 'data.phases', '[{"crop":24}]').data.phases).toEqual([{ crop: 24 }])
})

test('a number can replace a learning-rate schedule, and omitted fields can be added', () => {
  expect(withSetting(recipe, 'learningRate', '1e-4').learningRate).toBe(1e-4)
  expect(withSetting(recipe, 'maxGradNorm', '0.5')).toMatchObject({ maxGradNorm: 0.5 })
})

test('an unknown name lists the known ones', () => {
  expect(() => withSetting(recipe, 'sede', '1')).toThrow(
    'expected one of seed, name, steps, learningRate, data',
  )
  expect(() => withSetting(recipe, 'data.crop', '1')).toThrow('expected one of phases, sample after data')
  expect(() => withSetting(recipe, 'seed.a', '1')).toThrow('--set seed.a')
})

test('a value of another type is rejected', () => {
  expect(() => withSetting(recipe, 'seed', 'two')).toThrow('expected a value such as 1, got two')
  expect(() => withSetting(recipe, 'data.phases', '[{"size":24}]')).toThrow(
    'expected a value such as [{"crop":8},{"crop":16}], got',
  )
  expect(() => withSetting(recipe, 'data.sample', '1')).toThrow('got a function; edit the recipe')
})
