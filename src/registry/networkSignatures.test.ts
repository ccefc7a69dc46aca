import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { emptyInit } from '../nn/init.ts'
import { stateDict } from '../nn/module.ts'
import { cards } from './cards.ts'
import { matchesSignature } from './networkSignatures.ts'
import { networkFacts, networks } from './networks.ts'

/** Keys of every official layout: the defaults of each network, and the options of each of its cards. */
const layouts = networks.flatMap((network) => {
  const official = cards.filter(({ model }) => model === network.id)
  const variants = [
    { name: network.id, options: network.id === 'ipt' ? { task: '0' } : {} },
    ...official.map(({ id, options }) => ({ name: id, options })),
  ]
  return variants.map(({ name, options }) => {
    const keys = new Set(stateDict(network.fromOptions(options).create(emptyInit()).network).keys())
    return { name, id: network.id, keys }
  })
})

describe('signatures', () => {
  test('facts and descriptors list the same networks in the same order', () => {
    expect(networks.map(({ id }) => id)).toEqual(networkFacts.map(({ id }) => id))
    expect(networks.map(({ facts }) => facts)).toEqual(networkFacts)
  })

  test.each(layouts)('$name: the first match is its own network', ({ id, keys }) => {
    const matching = networkFacts.filter(({ signature }) => matchesSignature(signature, keys))
    expect(matching[0]?.id).toBe(id)
  })

  test('only these checkpoints match several signatures, so order decides', () => {
    const ambiguous = layouts.flatMap(({ id, keys }) => {
      const others = networkFacts.filter(
        ({ id: other, signature }) => other !== id && matchesSignature(signature, keys),
      )
      return others.map((other) => `${id} before ${other.id}`)
    })
    expect([...new Set(ambiguous)]).toEqual(expectedOverlaps)
  })
})

/** Networks whose checkpoints also match another's signature: DA-CLIP contains a CLIP; HAT and SRFormer the blocks of SwinIR. */
const expectedOverlaps = ['daclip before clip', 'hat before swinir', 'srformer before swinir']

test('a bundle that recognizes files and shows cards contains no network', async () => {
  const { metafile } = await build({
    stdin: {
      contents: `
        export { cards, findCard } from './src/registry/cards.ts'
        export { detectNetwork } from './src/registry/networkSignatures.ts'`,
      resolveDir: process.cwd(),
    },
    bundle: true,
    // As pages load it.
    minify: true,
    format: 'esm',
    write: false,
    metafile: true,
    logLevel: 'silent',
  })
  const [output] = Object.values(metafile.outputs)
  const inputs = Object.entries(output?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
  const classes = inputs.map(([file]) => file).filter((file) => /src\/(nn|models\/(\w+)\/\2)\b/.test(file))
  expect(classes).toEqual([])
  // Besides the text of the cards, which grows with every model.
  expect((output?.bytes ?? 0) - JSON.stringify(cards).length).toBeLessThan(16_000)
})
