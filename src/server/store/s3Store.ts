// A store in a bucket of S3 or of a service with its interface. Credentials, region and address of the service come
// from the SDK's own settings, such as AWS_REGION and AWS_ENDPOINT_URL.

import { randomBytes } from 'node:crypto'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { messageOf, RestoreError } from '../../core/errors.ts'
import {
  abandonedInputs,
  type ByteRange,
  expiredResults,
  hashUpload,
  type Maker,
  pictureName,
  type Store,
  type StoredFile,
  type StoredReport,
  type StoredResult,
  type SweepOptions,
} from './store.ts'

/** The object at a result's address: attempts by job until there is a report. */
interface ResultObject {
  readonly attempts: Readonly<Record<string, number>>
  readonly report?: StoredReport
}

/** Conditions of a write that another one may precede. */
type Condition = { readonly IfMatch: string } | { readonly IfNoneMatch: '*' }

/** Inputs by their hash, and results by their address as a picture and an object that is written by conditional puts. */
export class S3Store implements Store {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #prefix: string

  /** @throws RestoreError 'usage' for an address other than s3://bucket or s3://bucket/prefix */
  constructor(address: string) {
    const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*?))?\/?$/.exec(address) ?? []
    if (bucket === undefined)
      throw new RestoreError('usage', `--store: expected s3://bucket or s3://bucket/prefix, got ${address}`)
    this.#bucket = bucket
    this.#prefix = prefix === '' ? '' : `${prefix}/`
    this.#client = new S3Client({
      // Services other than Amazon's seldom have a name for each bucket.
      forcePathStyle:
        process.env.AWS_ENDPOINT_URL !== undefined || process.env.AWS_ENDPOINT_URL_S3 !== undefined,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    })
  }

  async putInput(upload: Readable, maxBytes: number): Promise<{ sha256: string; bytes: number }> {
    // The hash, which is the name, is known at the end.
    const folder = await mkdtemp(join(tmpdir(), 'limpid-upload-'))
    try {
      const path = join(folder, randomBytes(8).toString('hex'))
      const file = await open(path, 'wx')
      const hashed = await hashUpload(upload, maxBytes, (part) => file.write(part)).finally(() =>
        file.close(),
      )
      await this.#put(`inputs/${hashed.sha256}`, await readFile(path))
      return hashed
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  async input(sha256: string): Promise<Uint8Array> {
    const found = await this.#get(`inputs/${sha256}`)
    if (found?.Body) return found.Body.transformToByteArray()
    throw new RestoreError('environment', `store: expected the input ${sha256}, got none`)
  }

  async begin({ address, job, fence }: Maker): Promise<void> {
    // Nothing precedes a first attempt.
    if (fence === 1) return
    await this.#change(address, (stored) =>
      stored.report ? undefined : { attempts: { ...stored.attempts, [job]: fence } },
    )
  }

  async publish({ address, job, fence }: Maker, picture: Uint8Array, report: StoredReport): Promise<boolean> {
    await this.#put(`results/${pictureName(address, report)}`, picture)
    let isLate = false
    await this.#change(address, (stored) => {
      isLate = (stored.attempts[job] ?? 0) > fence
      return isLate || stored.report ? undefined : { ...stored, report }
    })
    return !isLate
  }

  async find(address: string): Promise<StoredResult | undefined> {
    const { report } = (await this.#read(address)).stored
    if (!report) return undefined
    const key = `results/${pictureName(address, report)}`
    const parts = async function* (this: S3Store, range?: ByteRange) {
      const found = await this.#get(key, range)
      if (!found?.Body)
        throw new RestoreError('environment', `store: expected the picture of ${address}, got none`)
      yield* found.Body as Readable
    }
    return { report, open: (range) => Readable.from(parts.call(this, range)) }
  }

  async delete(address: string): Promise<void> {
    await this.#delete(`results/${address}.json`)
    for (const { name } of await this.#list(`results/${address}.`)) await this.#delete(`results/${name}`)
  }

  async sweep(options: SweepOptions): Promise<void> {
    for (const { name } of abandonedInputs(await this.#list('inputs/'), options))
      await this.#delete(`inputs/${name}`)
    for (const address of expiredResults(await this.#list('results/'), options)) await this.delete(address)
  }

  async check(): Promise<void> {
    await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket })).catch((error) => {
      throw new RestoreError(
        'environment',
        `--store: expected the bucket ${this.#bucket}, got ${messageOf(error)}; AWS_ENDPOINT_URL, AWS_REGION and credentials say where it is`,
        { cause: error },
      )
    })
  }

  /** Reads, changes and writes the object of a result, again where another has written it meanwhile. */
  async #change(address: string, change: (stored: ResultObject) => ResultObject | undefined): Promise<void> {
    for (;;) {
      const { stored, tag } = await this.#read(address)
      const changed = change(stored)
      if (!changed) return
      const condition: Condition = tag === undefined ? { IfNoneMatch: '*' } : { IfMatch: tag }
      if (await this.#put(`results/${address}.json`, Buffer.from(JSON.stringify(changed)), condition)) return
    }
  }

  async #read(address: string): Promise<{ readonly stored: ResultObject; readonly tag: string | undefined }> {
    const found = await this.#get(`results/${address}.json`)
    if (!found?.Body) return { stored: { attempts: {} }, tag: undefined }
    return { stored: JSON.parse(await found.Body.transformToString()), tag: found.ETag }
  }

  /** @returns false where the condition does not hold */
  async #put(key: string, body: Uint8Array, condition?: Condition): Promise<boolean> {
    const request = { Bucket: this.#bucket, Key: this.#prefix + key, Body: body, ...condition }
    try {
      await this.#client.send(new PutObjectCommand(request))
      return true
    } catch (error) {
      // 412 is a condition that does not hold, 409 a write at the same time, 404 an object deleted meanwhile.
      if (condition && [404, 409, 412].includes(statusOf(error))) return false
      throw error
    }
  }

  async #get(key: string, range?: ByteRange): Promise<GetObjectCommandOutput | undefined> {
    const part = range && { Range: `bytes=${range.start}-${range.end}` }
    try {
      return await this.#client.send(
        new GetObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + key, ...part }),
      )
    } catch (error) {
      if (statusOf(error) === 404) return undefined
      throw error
    }
  }

  async #delete(key: string): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + key }))
  }

  async #list(prefix: string): Promise<readonly StoredFile[]> {
    const now = Date.now()
    const files: StoredFile[] = []
    let token: string | undefined
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#bucket,
          Prefix: this.#prefix + prefix,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      )
      for (const { Key = '', Size: bytes = 0, LastModified } of page.Contents ?? [])
        files.push({
          name: Key.slice(Key.lastIndexOf('/') + 1),
          bytes,
          ageMs: now - (LastModified?.getTime() ?? now),
        })
      token = page.NextContinuationToken
    } while (token !== undefined)
    return files
  }
}

function statusOf(error: unknown): number {
  return error instanceof S3ServiceException ? (error.$metadata.httpStatusCode ?? 0) : 0
}
