// Texts of PNG files: comments, prompts of generated images, and metadata that older programs wrote as text.
// PNG (third edition), section 11.3.3; 'Raw profile type' is a convention of ImageMagick.

import { zlibSync } from 'fflate'
import { latin1Bytes, utf8, utf8Bytes } from '../../core/bytes.ts'
import { latin1 } from '../../core/data.ts'
import { inflate } from '../formats/inflate.ts'
import { type PngChunk, pngChunk } from '../formats/png.ts'

/** A text with its keyword, such as 'Comment', 'Author' or 'parameters'. */
export interface PngText {
  readonly keyword: string
  readonly text: string
  /** Language of the text, such as 'fr'. */
  readonly language?: string | undefined
  /** The keyword in that language. */
  readonly translation?: string | undefined
}

/** Reads a text chunk; undefined for other chunks, and for damaged ones. */
export function readText({ type, body }: PngChunk): PngText | undefined {
  const end = body.indexOf(0)
  if (end < 1 || end > 79) return undefined
  const keyword = latin1(body.subarray(0, end))
  const rest = body.subarray(end + 1)
  try {
    if (type === 'tEXt') return { keyword, text: latin1(rest) }
    if (type === 'zTXt') return { keyword, text: latin1(inflate(rest.subarray(1))) }
    if (type !== 'iTXt') return undefined
    const language = rest.indexOf(0, 2)
    const translation = rest.indexOf(0, language + 1)
    if (language < 0 || translation < 0) return undefined
    const bytes = rest.subarray(translation + 1)
    const text = utf8(rest[0] === 1 ? inflate(bytes) : bytes)
    if (translation === 3) return { keyword, text }
    const inLanguage = {
      language: latin1(rest, 2, language),
      translation: utf8(rest.subarray(language + 1, translation)),
    }
    return { keyword, text, ...inLanguage }
  } catch {
    return undefined
  }
}

/** Writes a text as a chunk: Latin-1 where that holds it. */
export function textChunk({ keyword, text, language, translation = '' }: PngText): Uint8Array<ArrayBuffer> {
  const isLatin = [...text].every((letter) => letter.charCodeAt(0) < 256)
  const key = latin1Bytes(`${keyword}\0`)
  if (isLatin && language === undefined) return pngChunk('tEXt', key, latin1Bytes(text))
  const names = [latin1Bytes(`\0\0${language ?? ''}\0`), utf8Bytes(`${translation}\0`)]
  return pngChunk('iTXt', key, ...names, utf8Bytes(text))
}

/** Reads the bytes of a 'Raw profile type', written as hexadecimal digits after a name and a length. */
export function rawProfile(text: string): Uint8Array | undefined {
  const found = /^\s*[\w ]+\n\s*\d+\n([\da-f\s]*)$/i.exec(text.trimEnd())
  const pairs = found?.[1]?.replace(/\s+/g, '').match(/../g)
  return pairs ? Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16)) : undefined
}

/** Writes bytes as a 'Raw profile type'. */
export function rawProfileChunk(name: string, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .replace(/.{1,72}/g, '$&\n')
  const text = `\n${name}\n${String(bytes.length).padStart(8)}\n${digits}`
  return pngChunk('zTXt', latin1Bytes(`Raw profile type ${name}\0\0`), zlibSync(latin1Bytes(text)))
}
