// Explains why a file cannot be read or is not a readable image.

import { messageOf, RestoreError } from '../core/errors.ts'

/** Wraps a file system error for a file or folder. */
export function unreadableFile(path: string, error: unknown): RestoreError {
  if (error instanceof RestoreError) return error
  const message = causeOf(error)
  if (isMisnamed(path) && isMissing(message))
    return new RestoreError('input', `${path}: ${misnamed}`, { cause: error })
  return new RestoreError('input', `${path}: cannot be read (${withAdvice(message) ?? message})`, {
    cause: error,
  })
}

/** Wraps an error from decoding a file in one sentence. */
export function explainUnreadable(name: string, error: unknown): RestoreError {
  if (error instanceof RestoreError) return error
  const message = causeOf(error)
  if (isMissing(message)) {
    if (isMisnamed(name)) return new RestoreError('input', `${name}: ${misnamed}`, { cause: error })
    const isAddress = /^(?:https?|ftp):\/\//i.test(name)
    const cause = isAddress ? 'nothing is fetched: download it first' : 'check the path'
    return new RestoreError('input', `${name}: no such file; ${cause}`, { cause: error })
  }
  const reason = withAdvice(message) ?? explain(message)
  return new RestoreError('input', `${name}: expected a readable still image, got: ${reason}`, {
    cause: error,
  })
}

/** Whether a name has bytes that are not UTF-8, so that its file cannot be opened by it. */
export function isMisnamed(name: string): boolean {
  return name.includes('\uFFFD')
}

function isMissing(message: string): boolean {
  return /^ENOENT|no such file/i.test(message)
}

/** What is wrong with a misnamed file. */
export const misnamed = 'expected a name in UTF-8, got other bytes; rename it'

/** Advice for messages of the system, which are quoted. */
const advice = [
  [/EACCES|EPERM/, 'check its permissions'],
  [/EISDIR/, 'it is a folder: give a file'],
] as const

function withAdvice(message: string): string | undefined {
  const found = advice.find(([pattern]) => pattern.test(message))
  return found && `${message}; ${found[1]}`
}

const again = 'download or export it again'

/** Messages of libvips in other words. */
const explanations: readonly (readonly [RegExp, (found: RegExpExecArray) => string])[] = [
  [
    /([\w-]+) compression support is not configured/i,
    ([, name]) => `a TIFF with ${name} compression, which is not supported; save it with LZW or Deflate`,
  ],
  [
    /^Compression scheme (\d+)/i,
    ([, scheme]) => `a TIFF with compression ${scheme}, which is not supported; save it with LZW or Deflate`,
  ],
  [
    /premature end|truncat|unexpected end|end of (?:stream|file|data)|not enough|too short|read error|bad seek|corrupt header/i,
    ({ input }) => `a truncated or damaged file (${input}); ${again}`,
  ],
  [/unsupported image format/i, () => `a damaged header; ${again}`],
  [/^unknown error$/i, () => `a damaged file; ${again}`],
]

/** Longest message of a decoder that is quoted. */
const maxQuoted = 120

/** Explains a message of a decoder; one with advice is Limpid's own. */
function explain(cause: string): string {
  if (cause.includes('; ')) return cause
  const message = cause.length > maxQuoted ? `${cause.slice(0, maxQuoted)}…` : cause
  for (const [pattern, inOtherWords] of explanations) {
    const found = pattern.exec(message)
    if (found) return inOtherWords(found)
  }
  return `a damaged or unsupported file (${message}); ${again}, or convert it to PNG`
}

/**
 * The first line of a message: libvips says the same for each strip or tile. What libvips calls its loaders is
 * left out.
 */
function causeOf(error: unknown): string {
  const lines = messageOf(error).split('\n')
  const [first = ''] = lines.map((line) => line.replace(/\s+/g, ' ').trim()).filter((line) => line !== '')
  // A header that says no more is followed by the reason.
  const [, second] = /corrupt header:$/.test(first) ? lines : []
  return `${first} ${second ?? ''}`.trim().replace(/\b(?:vips\w+|\w+2vips|source|\w+load(?:_\w+)?): /gi, '')
}
