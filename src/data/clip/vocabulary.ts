// CLIP's vocabulary as shipped with the package. Browsers fetch
// limpid/assets/clip/bpe_simple_vocab_16e6.txt.gz instead.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageFolder } from '../packageFiles.ts'
import { createTokenizer, type Tokenizer } from './tokenizer.ts'

let tokenizer: Tokenizer | undefined

/** Returns CLIP's tokenizer, loading the vocabulary once. */
export function clipTokenizer(): Tokenizer {
  if (!tokenizer) {
    tokenizer = createTokenizer(
      readFileSync(join(packageFolder(), 'assets', 'clip', 'bpe_simple_vocab_16e6.txt.gz')),
    )
  }
  return tokenizer
}
