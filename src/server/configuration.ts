// How servers and workers are configured: by options, environment variables or a file, all validated by one schema.

import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { messageOf, RestoreError } from '../core/errors.ts'

const whole = (least: number, most: number) => z.coerce.number().int().min(least).max(most)

/** A switch; the text "false" turns it off. */
const isOn = z.union([z.boolean(), z.stringbool()])

/** A number with a unit, such as 24h, as a number of the smallest unit. */
const quantity = (units: Readonly<Record<string, number>>, example: string) =>
  z.string().transform((text, context) => {
    const [, number, unit = ''] = /^(\d+(?:\.\d+)?) *([a-zA-Z]*)$/.exec(text.trim()) ?? []
    const factor = units[unit]
    if (number !== undefined && factor !== undefined) return Number(number) * factor
    context.addIssue(`expected a number with one of ${Object.keys(units).join(', ')}, such as ${example}`)
    return z.NEVER
  })

const time = quantity({ ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }, '90s')
const size = quantity({ kB: 1e3, MB: 1e6, GB: 1e9 }, '64MB')
const pixels = z.coerce
  .number()
  .positive()
  .max(1e4)
  .transform((megapixels) => megapixels * 1e6)

const listOf = <T extends z.ZodType>(item: T) =>
  z.union([z.array(item), z.string().transform((text) => text.split(',').map((part) => part.trim()))])

/** Configuration of a server or worker. */
const schema = z.strictObject({
  host: z.string().default('127.0.0.1'),
  port: whole(0, 65_535).default(8080),
  metricsPort: whole(0, 65_535).optional(),
  app: isOn.default(true),
  data: z.string().min(1).default('limpid-data'),
  queue: z
    .url({ protocol: /^(rediss?|postgres(ql)?)$/, error: 'expected redis://…, rediss://… or postgres://…' })
    .optional(),
  store: z.string().min(1).optional(),
  models: listOf(z.string()).optional(),
  device: z.string().optional(),
  dtype: z.enum(['auto', 'float32'], 'expected auto or float32, for networks of all kinds').optional(),
  keys: z.string().min(1).optional(),
  open: isOn.default(false),
  origins: listOf(z.url()).default([]),
  sources: listOf(z.string()).default([]),
  sourcesInternal: isOn.default(false),
  webhooks: listOf(z.string()).default([]),
  webhooksInternal: isOn.default(false),
  webhookSecret: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/, 'expected whsec_ and at least 24 bytes as Base64')
    .optional(),
  jobs: whole(1, 64).default(1),
  networks: whole(1, 64).default(2),
  queueLimit: whole(1, 1e6).default(100),
  queuePerKey: whole(1, 1e6).default(50),
  maxBytes: size.prefault('64MB'),
  pixelLimit: pixels.prefault(50),
  outputLimit: pixels.prefault(200),
  timeout: time.prefault('10m'),
  lease: time.optional(),
  wait: time.prefault('60s'),
  drain: time.prefault('30s'),
  keep: time.prefault('24h'),
  quota: size.prefault('10GB'),
})

export type Configuration = z.output<typeof schema>

const names = Object.keys(schema.shape) as (keyof Configuration)[]

/** Environment variable of a setting: LIMPID_MAX_BYTES for maxBytes. */
function variableOf(name: string): string {
  // LIMPID_MODELS is the folder of fetched models.
  if (name === 'models') return 'LIMPID_WORKER_MODELS'
  return `LIMPID_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

interface Sources {
  /** Options of the command line, by name. */
  readonly options: Readonly<Record<string, unknown>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** A JSON file. */
  readonly file: string | undefined
}

/**
 * Reads the configuration: options come before variables, and these before the file.
 * @throws RestoreError 'usage' that names the setting and where it came from
 */
export function readConfiguration({ options, environment, file }: Sources): Configuration {
  const stored = file === undefined ? {} : readFile(file)
  const sources = new Map(Object.keys(stored).map((name) => [name, `${file}: ${name}`]))
  const given: Record<string, unknown> = { ...stored }
  for (const name of names) {
    const variable = variableOf(name)
    const [value, source] =
      options[name] === undefined ? [environment[variable], variable] : [options[name], optionOf(name)]
    if (value === undefined) continue
    given[name] = value
    sources.set(name, source)
  }
  const parsed = schema.safeParse(given)
  if (parsed.success) {
    const { queue, store } = parsed.data
    if ((queue === undefined) !== (store === undefined))
      throw new RestoreError(
        'usage',
        '--queue, --store: expected both, as many machines share the queue and the pictures, got one of them',
      )
    return parsed.data
  }
  const [issue] = parsed.error.issues
  const name = String(issue?.path[0] ?? '')
  const isSecret = name === 'webhookSecret' || name === 'queue'
  const got = isSecret ? 'another text' : JSON.stringify(given[name] ?? given)
  throw new RestoreError(
    'usage',
    `${sources.get(name) ?? file}: ${issue?.message ?? 'not valid'}, got ${got}; see limpid serve --help`,
  )
}

function optionOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

function readFile(path: string): Readonly<Record<string, unknown>> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    throw new RestoreError('usage', `${path}: expected a JSON object of settings (${messageOf(error)})`, {
      cause: error,
    })
  }
}
