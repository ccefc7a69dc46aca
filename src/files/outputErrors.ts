// Why a file cannot be written, in words.

import { messageOf, RestoreError } from '../core/errors.ts'

/** By the system's code: what is wrong, and what to do. */
const causes: Readonly<Record<string, readonly [reason: string, advice: string]>> = {
  ENOSPC: ['the disk is full', 'free some space, or choose another disk'],
  EDQUOT: ['the disk quota is used up', 'free some space, or choose another disk'],
  EROFS: ['the file system is read-only', 'choose another folder'],
  EACCES: ['permission denied', 'allow writing there, or choose another folder'],
  EPERM: ['permission denied', 'allow writing there, or choose another folder'],
  ENOENT: ['its folder does not exist', 'create it'],
  ENOTDIR: ['its folder is a file', 'choose another folder'],
  EEXIST: ['another file has its name', 'choose another name'],
  ELOOP: ['its path is a loop of links', 'choose another folder'],
  EISDIR: ['it is a folder', 'give the name of a file'],
  EFBIG: ['the file is larger than the file system or a limit allows', 'raise the limit (ulimit -f)'],
  ENAMETOOLONG: ['the name is too long for the file system', 'give a shorter one'],
  EMFILE: ['too many files are open', 'raise the limit (ulimit -n)'],
  EIO: ['the disk reports an error', 'check the disk'],
}

/** The system's code of an error, such as ENOSPC. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** The error for a file or folder that cannot be written; errors of Limpid pass unchanged. */
export function unwritable(path: string, error: unknown): RestoreError {
  if (error instanceof RestoreError) return error
  const code = codeOf(error) ?? ''
  const [reason, advice] = causes[code] ?? []
  const words =
    reason === undefined
      ? `cannot be written (${messageOf(error)})`
      : `cannot be written: ${reason} (${code}); ${advice}`
  return new RestoreError('output', `${path}: ${words}`, { cause: error })
}

/** The error for an output that exists and may not be replaced. */
export function alreadyExists(path: string, cause?: unknown): RestoreError {
  return new RestoreError(
    'output',
    `${path}: exists already; give another name, or overwrite it (--overwrite)`,
    cause === undefined ? {} : { cause },
  )
}
