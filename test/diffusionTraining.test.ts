// Training of diffusion networks: interruption and resumption, saved files, and the published recipes.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readCheckpoint, writeSafetensors } from '../src/checkpoints/files.ts'
import { counterRandom } from '../src/core/random.ts'
import { clipDefaults } from '../src/models/clip/clip.ts'
import { DaClip } from '../src/models/daclip/daclip.ts'
import { randomInit } from '../src/nn/init.ts'
import { stateDict } from '../src/nn/module.ts'
import { runLoop } from '../src/train/loop.ts'
import { checkRecipe } from '../src/train/preflight.ts'
import { type Recipe, rateAt } from '../src/train/recipe/recipe.ts'
import { compileRecipe } from '../src/train/recipe/recipeFile.ts'
import { libtorchMissing } from './libtorch.ts'
import { writePictures } from './recipes/images.ts'
import { onPictures, prepareTraining } from './training.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-diffusion-'))
const at = (...names: readonly string[]) => join(dir, ...names)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe.skipIf(libtorchMissing !== undefined)('training with a frozen DA-CLIP', () => {
  const { href: url } = new URL('recipes/diffusion.ts', import.meta.url)

  beforeAll(async () => {
    await writePictures(at('images'), 3)
    const random = counterRandom(1)
    const guide = new DaClip(
      randomInit(() => random.uniform()),
      {
        ...clipDefaults,
        features: 8,
        imageSize: [16, 16],
        patch: 8,
        visionWidth: 64,
        visionLayers: 1,
        visionHeads: 1,
        vocabulary: 10,
        textWidth: 8,
        textLayers: 1,
        textHeads: 1,
      },
    )
    const tensors = [...stateDict(guide)].map(([key, weight]) => [key, weight.read()] as const)
    writeSafetensors(at('guide.safetensors'), new Map(tensors))
  }, 120_000)

  async function trainHere(out: string, settings: Readonly<Record<string, string>>, isResumed = false) {
    const all = { 'constants.guide': at('guide.safetensors'), ...settings }
    const { run, identity, openLoader } = await prepareTraining(onPictures(url, at('images'), all))
    mkdirSync(out, { recursive: true })
    await runLoop(run, { folder: out, identity, isResumed, openLoader })
    const { tensors } = readCheckpoint(join(out, 'state.safetensors'), { isWhole: true })
    return [...tensors].map(([key, stored]) => [key, Buffer.from(stored.read()).toString('base64')] as const)
  }

  test('ends with the same weights after interruption and resumption, and saves nothing of the DA-CLIP', {
    timeout: 120_000,
  }, async () => {
    const whole = await trainHere(at('whole'), {})
    await trainHere(at('cut'), { steps: '4' })
    expect(await trainHere(at('cut'), {}, true)).toEqual(whole)
    expect(whole.filter(([key]) => /visual|token/.test(key))).toEqual([])
    expect(whole.some(([key]) => key.startsWith('ema.text_mlp'))).toBe(true)
  })

  test('fails before its first step if the DA-CLIP is missing', async () => {
    const missing = { 'constants.guide': at('absent.safetensors') }
    await expect(trainHere(at('absent'), missing)).rejects.toThrow(/absent\.safetensors/)
  })
})

test('the published recipes have the official settings', { timeout: 240_000 }, async () => {
  const tasks = ['derain', 'deblur', 'deshadow', 'sr-x4', 'inpaint', 'denoise']
  const files = [
    ...tasks.map((task) => `irsde/${task}`),
    ...['restore', 'compress', 'latent'].map((name) => `refusion/${name}`),
    ...['universal', 'wild', 'controller'].map((name) => `daclip/${name}`),
    'light-detect',
    'light-universal',
    'light-universal-on',
  ]
  const imports = files.map(
    (file, i) => `import { recipe as r${i} } from '${join(process.cwd(), 'recipes', file)}.ts'`,
  )
  const list = files.map((_, i) => `r${i}`)
  writeFileSync(at('all.ts'), `${imports.join('\n')}\nexport const recipe = [${list}]\n`)
  const compiled = compileRecipe(at('all.ts'))
  try {
    const { recipe: recipes } = (await import(compiled.url)) as { recipe: readonly Recipe[] }
    const of = (file: string) => recipes[files.indexOf(file)] as Recipe
    for (const recipe of recipes) checkRecipe(recipe)
    const sigmas = tasks.map((task) => JSON.parse(of(`irsde/${task}`).card?.sampling ?? '').sde.maxSigma)
    expect(sigmas).toEqual([10, 10, 10, 30, 30, 70])
    const rates = [0, 199_999, 200_000, 400_000, 600_000].map((step) => rateAt(of('irsde/derain'), step))
    expect(rates).toEqual([1e-4, 1e-4, 5e-5, 2.5e-5, 1.25e-5])
    expect(recipes.slice(0, 11).map(({ steps }) => steps / 1000)).toEqual([
      700, 700, 700, 700, 700, 700, 700, 400, 400, 700, 500,
    ])
    const phases = ['irsde/derain', 'irsde/denoise', 'refusion/compress', 'daclip/universal'].map(
      (file) => of(file).data.phases[0],
    )
    expect(phases.map((phase) => `${phase?.batch} x ${phase?.crop}`)).toEqual([
      '4 x 128',
      '8 x 128',
      '8 x 1024',
      '16 x 256',
    ])
    expect(rateAt(of('refusion/restore'), 700_000)).toBeCloseTo(1e-7, 12)
    expect(of('daclip/controller')).toMatchObject({ steps: 30 * 67, constants: { equalTexts: 'wrong' } })
  } finally {
    compiled.dispose()
  }
})
