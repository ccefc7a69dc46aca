// Text repairs applied before CLIP's tokenizer in training: those of ftfy.fix_text
// (https://ftfy.readthedocs.io) that need no statistics. Not implemented: encodings other than Latin-1 and
// Windows-1252, lost bytes, and ftfy's heuristics for rare but valid letter pairs; text that decodes as UTF-8
// throughout is treated as UTF-8.

import { unescapeHtml, windows1252Character } from './htmlEntities.ts'

const byteOf = new Map(Array.from({ length: 256 }, (_, byte) => [windows1252Character(byte), byte]))
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Re-encodes text as Latin-1 or Windows-1252 bytes; undefined if a character does not fit. */
function encodeWindows1252(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const byte = byteOf.get(text[i]!) ?? (code < 0x100 ? code : undefined)
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** Characters that bytes 0x80 to 0xbf decode to in Latin-1 and Windows-1252. */
const continuation = `\\x80-\\xbf${Array.from({ length: 32 }, (_, i) => windows1252Character(0x80 + i)).join('')}`

/**
 * UTF-8 misread as Windows-1252: two bytes with a Latin letter's lead byte, or several pairs in a row; three
 * bytes, except French « after à and a space; four bytes. None of these occurs in real text.
 */
const misread = new RegExp(
  [
    `[\\u00c2\\u00c3\\u00c5][${continuation}]`,
    `(?:[\\u00c4-\\u00df][${continuation}]){2,}`,
    `\\u00e0[\\u00a4-\\u00a8\\u00aa\\u00ac-\\u00ba\\u00bc-\\u00bf][${continuation}]`,
    `[\\u00e1-\\u00ef][${continuation.replace('\\x80-\\xbf', '\\x80-\\x9f\\xa1-\\xbf')}][${continuation}]`,
    `\\u00f0[${continuation}]{3}`,
  ].join('|'),
  'g',
)

/**
 * Decodes UTF-8 that was misread as Latin-1 or Windows-1252: the whole text, or only the unambiguous parts.
 */
function redecode(text: string): string {
  if (text.search(misread) < 0) return text
  const bytes = encodeWindows1252(text)
  const whole = bytes && decodeUtf8(bytes)
  const repaired =
    whole ??
    text.replace(misread, (part) => {
      const partBytes = encodeWindows1252(part)
      return (partBytes && decodeUtf8(partBytes)) ?? part
    })
  // Text may have been misread twice.
  return repaired === text ? text : redecode(repaired)
}

/** Ligature characters and their letters. */
const ligatures: Readonly<Record<string, string>> = {
  Ĳ: 'IJ',
  ĳ: 'ij',
  ŉ: 'ʼn',
  Ǳ: 'DZ',
  ǲ: 'Dz',
  ǳ: 'dz',
  Ǆ: 'DŽ',
  ǅ: 'Dž',
  ǆ: 'dž',
  Ǉ: 'LJ',
  ǈ: 'Lj',
  ǉ: 'lj',
  Ǌ: 'NJ',
  ǋ: 'Nj',
  ǌ: 'nj',
  ﬀ: 'ff',
  ﬁ: 'fi',
  ﬂ: 'fl',
  ﬃ: 'ffi',
  ﬄ: 'ffl',
  ﬅ: 'ſt',
  ﬆ: 'st',
}

/** Repairs of single characters and sequences, applied in ftfy's order. */
const repairs: readonly (readonly [RegExp, (match: string) => string])[] = [
  [/[\x80-\x9f]/g, (c) => windows1252Character(c.charCodeAt(0))],
  [/[ĲĳŉǄ-ǌǱ-ǳﬀ-ﬆ]/g, (c) => ligatures[c] ?? c],
  [/[\u3000\uff01-\uffef]/g, (c) => c.normalize('NFKC')],
  [/[\u02bc\u2018-\u201b]/g, () => "'"],
  [/[\u201c-\u201f]/g, () => '"'],
  [/\r\n|[\r\u2028\u2029\x85]/g, () => '\n'],
  [/\p{Surrogate}/gu, () => '\ufffd'],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colors
  [/\x1b\[[\d;]*[a-zA-Z]/g, () => ''],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: invisible control characters
  [/[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, () => ''],
]

function fixLine(line: string): string {
  let text = line
  for (;;) {
    const before = text
    // A line with a tag is HTML, where references are intentional.
    if (!line.includes('<')) text = text.replace(/&#?[\da-zA-Z]{1,24};/g, unescapeHtml)
    text = redecode(text)
    for (const [pattern, repair] of repairs) text = text.replace(pattern, repair)
    text = text.normalize('NFC')
    if (text === before) return text
  }
}

/** Repairs text that was decoded with the wrong encoding. */
export function fixText(text: string): string {
  return text
    .split(/(?<=\n)/)
    .map(fixLine)
    .join('')
}
