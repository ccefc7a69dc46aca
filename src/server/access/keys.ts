// API keys: a file holds their hashes, so that reading it gives nobody access.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { messageOf, RestoreError } from '../../core/errors.ts'
import { writeAtomicSync } from '../../files/atomicWrite.ts'

const keySchema = z.strictObject({
  name: z.string().regex(/^[\w.-]{1,64}$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Most unfinished jobs of the key. */
  queue: z.number().int().min(1).optional(),
})

/** An API key, by its name and hash. */
export type ApiKey = z.infer<typeof keySchema>

const fileSchema = z.array(keySchema)

/** Reads a file of keys. @throws RestoreError 'usage' */
export function readKeys(path: string): readonly ApiKey[] {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    const reason =
      error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : messageOf(error)
    throw new RestoreError(
      'usage',
      `${path}: expected keys as limpid key writes them (${reason}); make one with limpid key NAME --keys ${path}`,
      { cause: error },
    )
  }
}

/**
 * Adds a key to a file, which is made if it is missing.
 * @returns the key, which is stored nowhere
 * @throws RestoreError 'usage' for a name that exists
 */
export function addKey(path: string, name: string): string {
  const keys = existsSync(path) ? readKeys(path) : []
  if (keys.some((key) => key.name === name))
    throw new RestoreError(
      'usage',
      `${path}: expected a new name, got ${name}, which has a key; choose another`,
    )
  const secret = `limpid_${randomBytes(32).toString('base64url')}`
  const checked = keySchema.safeParse({ name, sha256: hashOf(secret).toString('hex') })
  if (!checked.success)
    throw new RestoreError('usage', `key: expected a name of letters, digits, dots and dashes, got ${name}`)
  const text = `${JSON.stringify([...keys, checked.data], undefined, 2)}\n`
  writeAtomicSync(path, [new TextEncoder().encode(text)], { overwrite: true })
  return secret
}

/** Finds the key of a request in constant time. */
export function keyOf(keys: readonly ApiKey[], authorization: string | undefined): ApiKey | undefined {
  const [, secret = ''] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? []
  const hash = hashOf(secret)
  let found: ApiKey | undefined
  for (const key of keys) if (timingSafeEqual(Buffer.from(key.sha256, 'hex'), hash)) found = key
  return found
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
