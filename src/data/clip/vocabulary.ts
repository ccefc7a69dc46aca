// CLIP's vocabulary as it comes with the package. A browser fetches the file limpid/assets/clip/bpe_simple_vocab_16e6.txt.gz instead.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createTokenizer, type Tokenizer } from './tokenizer.ts'

let tokenizer: Tokenizer | undefined

/** CLIP's tokenizer, read once. */
export function clipTokenizer(): Tokenizer {
  if (!tokenizer) {
    const root = dirname(createRequire(import.meta.url).resolve('limpid/package.json'))
    tokenizer = createTokenizer(readFileSync(join(root, 'assets', 'clip', 'bpe_simple_vocab_16e6.txt.gz')))
  }
  return tokenizer
}
