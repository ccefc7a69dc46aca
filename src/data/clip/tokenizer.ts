// CLIP's byte-pair tokenizer (arXiv:2103.00020 §2.4). The vocabulary is OpenAI's bpe_simple_vocab_16e6.txt.gz (MIT), in assets/clip/.

import { gunzipSync } from 'fflate'
import { int64Data, type TensorData, viewAs } from '../../core/data.ts'
import { RestoreError } from '../../core/errors.ts'
import { unescapeHtml } from './htmlEntities.ts'
import { fixText } from './mojibake.ts'

const mergeCount = 48_894
const start = '<start_of_text>'
const end = '<end_of_text>'

/** A printable character for every byte: those that are printable in Latin-1 stand for themselves and come first. */
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

/** Words of cleaned text: special tokens, English contractions, letters, single digits, and what is left. */
const words = /<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu

export interface TokenOptions {
  /** Length of a row of tokens. */
  readonly contextLength?: number
}

export interface Tokens {
  /** int64 [texts contextLength]: start, ids, end, zeros. */
  readonly ids: TensorData
  /** Which texts were too long and have been cut. */
  readonly isCut: readonly boolean[]
}

export interface Tokenizer {
  readonly startId: number
  readonly endId: number
  readonly vocabularySize: number
  /** Ids of a text, without those of start and end. */
  encode(text: string): number[]
  decode(ids: readonly number[]): string
  /** Rows of ids for a text tower; a text that is too long is cut, its last id the end. */
  tokenize(texts: readonly string[], options?: TokenOptions): Tokens
}

/** Text as the tokenizer splits it: repaired, references resolved, single spaces, lower case. */
function cleanText(text: string): string {
  const unescaped = unescapeHtml(unescapeHtml(fixText(text))).trim()
  return unescaped.replace(/\s+/g, ' ').trim().toLowerCase()
}

/** The tokenizer of a vocabulary file, packed by gzip or not. */
export function createTokenizer(vocabulary: Uint8Array): Tokenizer {
  const bytes = vocabulary[0] === 0x1f && vocabulary[1] === 0x8b ? gunzipSync(vocabulary) : vocabulary
  const merges = new TextDecoder()
    .decode(bytes)
    .split('\n')
    .slice(1, mergeCount + 1)
  if (merges.length < mergeCount || merges.some((merge) => merge.split(' ').length !== 2)) {
    throw new RestoreError(
      'input',
      `vocabulary: expected a line of version and ${mergeCount} merges of two parts, got ${merges.length} lines; use bpe_simple_vocab_16e6.txt.gz`,
    )
  }
  const single = byteCharacters.map(([, character]) => character)
  const vocabularyList = [
    ...single,
    ...single.map((character) => `${character}</w>`),
    ...merges.map((merge) => merge.replace(' ', '')),
    start,
    end,
  ]
  const idOf = new Map(vocabularyList.map((token, id) => [token, id]))
  const ranks = new Map(merges.map((merge, rank) => [merge, rank]))
  const characterOf = new Map(byteCharacters)
  const byteOf = new Map(byteCharacters.map(([byte, character]) => [character, byte]))
  const startId = idOf.get(start)!
  const endId = idOf.get(end)!
  const known = new Map<string, readonly number[]>([
    [start, [startId]],
    [end, [endId]],
  ])

  const encodeWord = (word: string): readonly number[] => {
    const found = known.get(word)
    if (found) return found
    const characters = Array.from(new TextEncoder().encode(word), (byte) => characterOf.get(byte)!)
    const ids = mergeAll(characters, ranks).map((token) => idOf.get(token)!)
    known.set(word, ids)
    return ids
  }
  const encode = (text: string) => (cleanText(text).match(words) ?? []).flatMap(encodeWord)

  return {
    startId,
    endId,
    vocabularySize: vocabularyList.length,
    encode,
    decode: (ids) => {
      const text = ids.map((id) => vocabularyList[id] ?? '').join('')
      // Special tokens hold characters of the table as well.
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

/** Rows of ids [texts n] up to the last end of a text: a causal text tower does not see what stands behind. */
export function withoutPadding(ids: TensorData): TensorData {
  const [texts = 0, n = 0] = ids.shape
  const values = viewAs(ids.bytes, BigInt64Array)
  const rows = Array.from({ length: texts }, (_, row) =>
    Array.from(values.subarray(row * n, (row + 1) * n), Number),
  )
  // The tower takes the first of the largest ids for the end.
  const longest = Math.max(...rows.map((row) => row.indexOf(Math.max(...row)) + 1))
  return int64Data(
    rows.flatMap((row) => row.slice(0, longest)),
    [texts, longest],
  )
}

/** Joins the pair that comes first in the list of merges, wherever it stands, until no pair is in the list. */
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
