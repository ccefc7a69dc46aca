// Why a file cannot be read, or is no image that can be, in words that help.

import { messageOf, RestoreError } from '../core/errors.ts'

/** For a file or folder that the system does not give. */
export function unreadableFile(path: string, error: unknown): RestoreError {
  if (error instanceof RestoreError) return error
  return new RestoreError('input', `${path}: cannot be read (${advised(lineOf(error))})`, { cause: error })
}

/** Throws where the first bytes tell that this is no image file at all. */
export function refuseByContent(head: Uint8Array): void {
  if (head.length === 0) throw new Error('an empty file of 0 bytes; fetch or export it again')
  const text = Buffer.from(head).toString('latin1').replace(/^ï»¿/, '').trimStart()
  if (/^<(!doctype html|html|head|body|script)/i.test(text)) {
    throw new Error('a web page, perhaps of a failed download; fetch the image again')
  }
  if (text.startsWith('version https://git-lfs')) {
    throw new Error('a Git LFS pointer instead of the image; run git lfs pull')
  }
}

const cutShort =
  /premature end|truncat|unexpected end|end of (stream|file|data)|not enough|too short|read error|bad seek/i

/** The one sentence for a file that cannot be decoded. */
export function explainUnreadable(name: string, error: unknown): RestoreError {
  if (error instanceof RestoreError) return error
  const message = lineOf(error)
  const reason = cutShort.test(message)
    ? `a file that was cut short or is damaged (${message}); fetch or export it again`
    : advised(message)
  return new RestoreError('input', `${name}: expected a readable still image, got: ${reason}`, {
    cause: error,
  })
}

/** What to do about some messages of the system and of libvips. */
const advice = [
  [/ENOENT/, 'check the path'],
  [/EACCES/, 'allow reading it'],
  [/unsupported image format/, 'convert it to PNG or JPEG'],
] as const

function advised(message: string): string {
  const found = advice.find(([pattern]) => pattern.test(message))
  return found ? `${message}; ${found[1]}` : message
}

/** Those of libvips come in several lines. */
function lineOf(error: unknown): string {
  return messageOf(error).replace(/\s+/g, ' ').trim()
}
