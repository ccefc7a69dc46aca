// CLIP's vocabulary as it comes with the package. A browser fetches the file limpid/assets/clip/bpe_simple_vocab_16e6.txt.gz instead.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageFolder } from '../packageFiles.ts'
import { createTokenizer, type Tokenizer } from './tokenizer.ts'

let tokenizer: Tokenizer | undefined

/** CLIP's tokenizer, read once. */
export function clipTokenizer(): Tokenizer {
  if (!tokenizer) {
    tokenizer = createTokenizer(
      readFileSync(join(packageFolder(), 'assets', 'clip', 'bpe_simple_vocab_16e6.txt.gz')),
    )
  }
  return tokenizer
}
