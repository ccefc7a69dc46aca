// Values of options: each parser turns the text of one option into its value, or says what was expected.

import { RestoreError } from '../../core/errors.ts'
import { nearestName } from '../../core/unknownName.ts'

/** Parses the text of an option; the option's name is for the error. */
export type Parser<T> = (text: string, option: string) => T

function wrong(option: string, expected: string, got: string, advice = ''): RestoreError {
  return new RestoreError(
    'usage',
    `${option}: expected ${expected}, got ${got === '' ? 'nothing' : got}${advice}`,
  )
}

/** A whole number in a range. */
export function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): Parser<number> {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  return (text, option) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    throw wrong(option, `a whole number ${range}`, text)
  }
}

/** A number in a range. */
export function decimal(least: number, most: number): Parser<number> {
  return (text, option) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (value >= least && value <= most) return value
    throw wrong(option, `a number from ${least} to ${most}`, text)
  }
}

/** One of some words. */
export function oneOf<const T extends readonly string[]>(words: T): Parser<T[number]> {
  const listed = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
  return (text, option) => {
    const word = words.find((known) => known === text)
    if (word !== undefined) return word
    throw wrong(option, listed, text, nearestName(text, words))
  }
}

/** Comma-separated parts. */
export const list: Parser<readonly string[]> = (text, option) => {
  const parts = text.split(',').map((part) => part.trim())
  if (!parts.includes('')) return parts
  throw wrong(option, 'parts separated by single commas', text)
}

/** Comma-separated numbers in a range. */
export function decimals(least: number, most: number, example: string): Parser<readonly number[]> {
  return (text, option) => {
    const parts = text.split(',')
    const values = parts.map(Number)
    const isRight = parts.every((part, i) => part.trim() !== '' && values[i]! >= least && values[i]! <= most)
    if (isRight) return values
    throw wrong(option, `levels from ${least} to ${most} such as ${example}`, text)
  }
}

/** A file and a share from 0 to 1, such as other.pth=0.5. */
export const fileShare: Parser<{ readonly weights: string; readonly share: number }> = (text, option) => {
  const [, weights, share = ''] = /^(.+)=([^=]*)$/.exec(text) ?? []
  if (weights === undefined) throw wrong(option, 'a file and its share, such as other.pth=0.5', text)
  return { weights, share: decimal(0, 1)(share, option) }
}

/** A JSON object. */
export const jsonObject: Parser<object> = (text, option) => {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // The sentence below says the same.
  }
  throw wrong(option, `a JSON object such as '{"dim":48}'`, text)
}

/** Megapixels, as pixels. */
export const megapixels: Parser<number> = (text, option) => {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value > 0 && value <= 1e6) return value * 1e6
  throw wrong(option, 'megapixels above 0 and at most 1000000', text)
}

/** `auto`, `none`, or the side of a tile in pixels. */
export const tileSide: Parser<'auto' | 'none' | number> = (text, option) => {
  if (text === 'auto' || text === 'none') return text
  const px = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (px >= 8 && Number.isSafeInteger(px)) return px
  throw wrong(option, 'auto, none or a whole number of at least 8', text)
}

/** `all`, or the number of a page. */
export const pages: Parser<'all' | number> = (text, option) => {
  if (text === 'all') return text
  const page = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (page >= 1 && Number.isSafeInteger(page)) return page
  throw wrong(option, 'all or a whole number of at least 1', text)
}

/** A size such as 256x384. */
export const size: Parser<{ readonly h: number; readonly w: number }> = (text, option) => {
  const [, h, w] = /^(\d{1,6})x(\d{1,6})$/.exec(text) ?? []
  if (h !== undefined && w !== undefined) return { h: Number(h), w: Number(w) }
  throw wrong(option, 'a height and width in pixels such as 256x384', text)
}

/** `key=value`. */
export const setting: Parser<readonly [key: string, text: string]> = (text, option) => {
  const at = text.indexOf('=')
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  throw wrong(option, 'key=value such as seed=1', text)
}

/** What computes. */
export type Device = TorchDevice | 'webgpu'
export type TorchDevice = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`

/** A device for pictures. */
export const device: Parser<Device> = (text, option) => {
  const found = text === 'webgpu' ? text : torchDeviceOf(text)
  if (found) return found
  throw wrong(option, 'auto, cpu, webgpu or cuda[:N]', text)
}

/** A device that libtorch has too. */
export const torchDevice: Parser<TorchDevice> = (text, option) => {
  const found = torchDeviceOf(text)
  if (found) return found
  throw wrong(option, 'auto, cpu or cuda[:N]', text)
}

function torchDeviceOf(text: string): TorchDevice | undefined {
  if (text === 'auto' || text === 'cpu' || text === 'cuda') return text
  const index = /^cuda:(\d{1,4})$/.exec(text)?.[1]
  return index === undefined ? undefined : `cuda:${Number(index)}`
}

/** Number of a CUDA device; undefined for the others, and for `cuda`, which leaves it open. */
export function cudaIndex(chosen: TorchDevice): number | undefined {
  return chosen.startsWith('cuda:') ? Number(chosen.slice('cuda:'.length)) : undefined
}
