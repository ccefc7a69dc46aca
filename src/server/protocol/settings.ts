// What a request asks for, as one schema that validates, documents and makes it canonical.

import { z } from 'zod'
import type { OverrideRequest } from '../../auto/plan/overrides.ts'
import type { LookSettings, ServerSettings } from '../../client/protocol.ts'
import { damageIds } from '../../models/damages.ts'
import { autoTask, tasks } from '../../models/tasks.ts'
import { tasksOf } from '../../runtime/modelChoice.ts'
import type { WriteOptions } from '../../runtime/restoreResult.ts'
import type { RestorerOptions, RunPictureOptions } from '../../runtime/restorer.ts'

/** Formats of results, with their media types. */
export const mediaTypes = {
  png: 'image/png',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  tiff: 'image/tiff',
  avif: 'image/avif',
} as const

export type Format = keyof typeof mediaTypes

const formats = Object.keys(mediaTypes) as [Format, ...Format[]]

/** What files are called as well. */
const suffixes = { jpg: 'jpeg', tif: 'tiff' } as const satisfies Record<string, Format>

const named = new Map<string, Format>([
  ...formats.map((name): [string, Format] => [name, name]),
  ...Object.entries(suffixes),
])

const flag = z.union([z.boolean(), z.stringbool({ truthy: ['true'], falsy: ['false'] })])

const taskIds: readonly string[] = tasks.map(({ id }) => id)

/** Most tasks of a list. */
const mostTasks = 4

const taskSchema = z
  .string()
  .max(200)
  .superRefine((text, context) => {
    const names = tasksOf(text)
    const wrong = text === autoTask ? undefined : names.find((name) => !taskIds.includes(name))
    if (wrong !== undefined)
      context.addIssue(`expected some of ${taskIds.join(', ')}, or auto by itself, got ${wrong}`)
    if (names.length > mostTasks) context.addIssue(`expected at most ${mostTasks} tasks, got ${names.length}`)
  })
  .overwrite((text) => tasksOf(text).join(','))
  .describe(
    `A task, or several with commas between, done in order: ${taskIds.join(', ')}; or auto, which finds out what the picture needs. Default: auto.`,
  )

const namesIn = (text: string) => text.split(',').map((name) => name.trim())

/** Kinds of damage, with commas between. */
const damageList = (meaning: string) =>
  z
    .string()
    .max(500)
    .superRefine((text, context) => {
      const wrong = namesIn(text).find((name) => !damageIds.some((id) => id === name))
      if (wrong !== undefined) context.addIssue(`expected some of ${damageIds.join(', ')}, got ${wrong}`)
    })
    .overwrite((text) => namesIn(text).join(','))
    .describe(`${meaning}: ${damageIds.join(', ')}; several with commas between.`)

/** Settings of a job, from a query, a form or JSON. */
export const settingsSchema = z
  .strictObject({
    task: taskSchema,
    model: z.string().max(100).describe('Id of a model; GET /v1/models lists them.'),
    only: damageList('With task auto: damage that is treated if it is found, no other'),
    never: damageList('With task auto: damage that is left as it is'),
    damage: damageList('With task auto or universal: damage that is treated in any case'),
    scale: z.coerce.number().min(1).max(8).describe('Enlargement, for models that enlarge.'),
    strength: z.coerce.number().min(0).max(1).describe('Share of the restoration in the result.'),
    selfEnsemble: flag.describe('Mean over eight flips and rotations: slightly better, eight times slower.'),
    steps: z.coerce.number().int().min(1).max(1000).describe('Steps of diffusion networks.'),
    samples: z.coerce.number().int().min(1).max(64).describe('Samples of diffusion networks to average.'),
    seed: z.coerce.number().int().min(0).describe('Random seed of sampling.'),
    page: z.coerce.number().int().min(1).describe('Page of a document or frame of an animation.'),
    opacity: z.enum(['keep', 'restore']).describe('Whether opacity is kept or restored.'),
    background: z.string().max(50).describe("Color that replaces transparency, such as 'white'."),
    format: z
      .enum([...formats, ...(Object.keys(suffixes) as (keyof typeof suffixes)[])])
      .describe('Format of the result. Default: by Accept, else that of the input.'),
    quality: z.coerce.number().int().min(1).max(100).describe('Quality of JPEG, WebP and AVIF.'),
    strip: z
      .enum(['all', 'location'])
      .describe('Omits all metadata, or only where the photo was taken. Default: all is kept.'),
  })
  .partial() satisfies z.ZodType<ServerSettings>

export type Settings = ServerSettings

/** Settings of looking at a picture. */
export const lookSchema = settingsSchema.pick({
  ...{ only: true, never: true, damage: true, strength: true, page: true },
}) satisfies z.ZodType<LookSettings>

/** Settings of a job, whose format has been decided. */
export type JobSettings = Omit<Settings, 'format'> & { readonly format: Format }

/** The format that a name or an input stands for; PNG, which loses nothing, where it is not written. */
export function writableFormat(name: string): Format {
  return named.get(name) ?? 'png'
}

/** Settings as text that is equal for equal settings. */
export function canonical(settings: Settings): string {
  const stated = Object.entries(settings).filter(([, value]) => value !== undefined)
  return JSON.stringify(Object.fromEntries(stated.sort(([a], [b]) => (a < b ? -1 : 1))))
}

/** Options that decide which network is opened, and what task auto treats. */
export function networkOptions(settings: Settings): RestorerOptions & OverrideRequest {
  const { task, model, scale } = settings
  return { task, model, scale, ...overridesOf(settings) }
}

/** What the caller decides about damage. */
export function overridesOf({ only, never, damage }: LookSettings): OverrideRequest {
  const names = (text: string | undefined) => (text === undefined ? undefined : namesIn(text))
  return { only: names(only), never: names(never), damage: names(damage) }
}

/** Options of one picture. */
export function pictureOptions(settings: Settings): RunPictureOptions {
  const { strength, selfEnsemble, steps, samples, seed, page, opacity, background, format } = settings
  return { strength, selfEnsemble, steps, samples, seed, page, opacity, background, format }
}

/** Options of encoding. */
export function writeOptions({ format, quality, strip }: Settings): WriteOptions {
  return { format, quality, strip: strip === 'all' ? true : strip }
}
