// Explains why a file cannot be read or is not a readable image.

import { messageOf, RestoreError } from '../core/errors.ts'

/** Wraps a file system error for a file or folder. */
export function unreadableFile(path: string, error: unknown): RestoreError {
  if (error instanceof RestoreError) return error
  return new RestoreError('input', `${path}: cannot be read (${withAdvice(messageLine(error))})`, {
    cause: error,
  })
}

/** Throws if the first bytes show that this is not an image file. */
export function refuseByContent(head: Uint8Array): void {
  if (head.length === 0) throw new Error('an empty file (0 bytes); download or export it again')
  const text = Buffer.from(head).toString('latin1').replace(/^ï»¿/, '').trimStart()
  if (/^<(!doctype html|html|head|body|script)/i.test(text)) {
    throw new Error('a web page, perhaps from a failed download; download the image again')
  }
  if (text.startsWith('version https://git-lfs')) {
    throw new Error('a Git LFS pointer instead of an image; run git lfs pull')
  }
}

const truncationPattern =
  /premature end|truncat|unexpected end|end of (stream|file|data)|not enough|too short|read error|bad seek/i

/** Wraps an error from decoding a file in one sentence. */
export function explainUnreadable(name: string, error: unknown): RestoreError {
  if (error instanceof RestoreError) return error
  const message = messageLine(error)
  if (/^ENOENT|no such file/i.test(message))
    return new RestoreError('input', `${name}: no such file; check the path`, { cause: error })
  const reason = truncationPattern.test(message)
    ? `a truncated or damaged file (${message}); download or export it again`
    : withAdvice(message)
  return new RestoreError('input', `${name}: expected a readable still image, got: ${reason}`, {
    cause: error,
  })
}

/** Advice for common messages of the system and libvips. */
const advice = [
  [/EACCES/, 'check its permissions'],
  [/unsupported image format/, 'convert it to PNG or JPEG'],
] as const

function withAdvice(message: string): string {
  const found = advice.find(([pattern]) => pattern.test(message))
  return found ? `${message}; ${found[1]}` : message
}

/** Joins the message into one line; libvips spreads its messages over several. */
function messageLine(error: unknown): string {
  return messageOf(error).replace(/\s+/g, ' ').trim()
}
