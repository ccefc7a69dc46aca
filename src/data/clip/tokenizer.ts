// CLIP's byte-pair tokenizer (arXiv:2103.00020 §2.4). The vocabulary is OpenAI's bpe_simple_vocab_16e6.txt.gz
// (MIT), in assets/clip/.

import { gunzipSync } from 'fflate'
import { int64Data, type TensorData, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { unescapeHtml } from './htmlEntities.ts'
import { fixText } from './mojibake.ts'

const mergeCount = 48_894
const startToken = '<start_of_text>'
const endToken = '<end_of_text>'

/** Maps every byte to a printable character; bytes printable in Latin-1 come first and map to themselves. */
const byteCharacters = (() => {
  const printable = (byte: number) =>
    (byte > 32 && byte < 127) || (byte > 160 && byte < 173) || (byte > 173 && byte < 256)
  const bytes = Array.from({ length: 256 }, (_, byte) => byte)
  const others = bytes.filter((byte) => !printable(byte))
  return [
    ...bytes.filter(printable).map((byte) => [byte, String.fromCharCode(byte)] as const),
    ...others.map((byte, i) => [byte, String.fromCharCode(256 + i)] as const),
  ]
})()

/**
 * Words of cleaned text: special tokens, English contractions, runs of letters, single digits, other runs.
 */
const wordPattern = /<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu

/** Options of the tokenizer. */
export interface TokenOptions {
  /** Tokens per row. @default 77 */
  readonly contextLength?: number
}

/** Tokens of several texts. */
export interface Tokens {
  /** int64 [texts contextLength]: start token, ids, end token, zeros. */
  readonly ids: TensorData
  /** Which texts were too long and were truncated. */
  readonly isCut: readonly boolean[]
}

/** CLIP’s byte-pair encoding. */
export interface Tokenizer {
  readonly startId: number
  readonly endId: number
  readonly vocabularySize: number
  /** Encodes a text, without start and end tokens. */
  encode(text: string): number[]
  decode(ids: readonly number[]): string
  /**
   * Encodes texts as rows for a text tower; a text that is too long is truncated and still ends with the end
   * token.
   */
  tokenize(texts: readonly string[], options?: TokenOptions): Tokens
}

/** Normalizes text before tokenizing: repaired, references resolved, whitespace collapsed, lower case. */
function cleanText(text: string): string {
  const unescaped = unescapeHtml(unescapeHtml(fixText(text))).trim()
  return unescaped.replace(/\s+/g, ' ').trim().toLowerCase()
}

/**
 * Creates a tokenizer from a vocabulary file, gzipped or not.
 * @throws RestoreError `input` if it is another file
 */
export function createTokenizer(vocabulary: Uint8Array): Tokenizer {
  const bytes = vocabulary[0] === 0x1f && vocabulary[1] === 0x8b ? gunzipSync(vocabulary) : vocabulary
  const merges = new TextDecoder()
    .decode(bytes)
    .split('\n')
    .slice(1, mergeCount + 1)
  if (merges.length < mergeCount || merges.some((merge) => merge.split(' ').length !== 2)) {
    throw new RestoreError(
      'input',
      `vocabulary: expected a version line and ${mergeCount} merges of two parts, got ${merges.length} lines; use bpe_simple_vocab_16e6.txt.gz`,
    )
  }
  const byteTokens = byteCharacters.map(([, character]) => character)
  const vocabularyList = [
    ...byteTokens,
    ...byteTokens.map((character) => `${character}</w>`),
    ...merges.map((merge) => merge.replace(' ', '')),
    startToken,
    endToken,
  ]
  const idOf = new Map(vocabularyList.map((token, id) => [token, id]))
  const ranks = new Map(merges.map((merge, rank) => [merge, rank]))
  const characterOf = new Map(byteCharacters)
  const byteOf = new Map(byteCharacters.map(([byte, character]) => [character, byte]))
  const startId = idOf.get(startToken)!
  const endId = idOf.get(endToken)!
  const cache = new Map<string, readonly number[]>([
    [startToken, [startId]],
    [endToken, [endId]],
  ])

  const encodeWord = (word: string): readonly number[] => {
    const found = cache.get(word)
    if (found) return found
    const characters = Array.from(new TextEncoder().encode(word), (byte) => characterOf.get(byte)!)
    const ids = mergeAll(characters, ranks).map((token) => idOf.get(token)!)
    cache.set(word, ids)
    return ids
  }
  const encode = (text: string) => (cleanText(text).match(wordPattern) ?? []).flatMap(encodeWord)

  return {
    startId,
    endId,
    vocabularySize: vocabularyList.length,
    encode,
    decode: (ids) => {
      const text = ids.map((id) => vocabularyList[id] ?? '').join('')
      // The text of special tokens consists of characters in the table, too.
      const decoded = Uint8Array.from(text, (character) => byteOf.get(character)!)
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(decoded).replaceAll('</w>', ' ')
    },
    tokenize: (texts, { contextLength = 77 } = {}) => {
      const isCut: boolean[] = []
      const rows = texts.flatMap((text) => {
        const ids = [startId, ...encode(text), endId]
        isCut.push(ids.length > contextLength)
        const row = ids.length > contextLength ? [...ids.slice(0, contextLength - 1), endId] : ids
        return [...row, ...new Array<number>(contextLength - row.length).fill(0)]
      })
      return { ids: int64Data(rows, [texts.length, contextLength]), isCut }
    },
  }
}

/** Drops columns of ids [texts n] after the last end token of any text, which a causal text tower ignores. */
export function withoutPadding(ids: TensorData): TensorData {
  const [texts = 0, n = 0] = ids.shape
  const values = viewAs(ids.bytes, BigInt64Array)
  const rows = Array.from({ length: texts }, (_, row) =>
    Array.from(values.subarray(row * n, (row + 1) * n), Number),
  )
  // Like the tower, takes the first occurrence of the largest id as the end token.
  const longest = Math.max(...rows.map((row) => row.indexOf(Math.max(...row)) + 1))
  return int64Data(
    rows.flatMap((row) => row.slice(0, longest)),
    [texts, longest],
  )
}

/** Repeatedly joins every occurrence of the highest-ranked pair, until no pair is in the merge list. */
function mergeAll(characters: readonly string[], ranks: ReadonlyMap<string, number>): readonly string[] {
  let parts = characters.map((character, i) => (i === characters.length - 1 ? `${character}</w>` : character))
  for (;;) {
    let best = Number.POSITIVE_INFINITY
    for (let i = 0; i + 1 < parts.length; i++)
      best = Math.min(best, ranks.get(`${parts[i]} ${parts[i + 1]}`) ?? Number.POSITIVE_INFINITY)
    if (best === Number.POSITIVE_INFINITY) return parts
    const joined: string[] = []
    for (let i = 0; i < parts.length; i++) {
      const isPair = i + 1 < parts.length && ranks.get(`${parts[i]} ${parts[i + 1]}`) === best
      joined.push(isPair ? `${parts[i]}${parts[i + 1]}` : parts[i]!)
      if (isPair) i++
    }
    parts = joined
  }
}
