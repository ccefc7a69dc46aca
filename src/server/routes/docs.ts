// The description of the server for programs (OpenAPI 3.1) and for people.

import type { FastifyInstance } from 'fastify'
import { problems } from '../protocol/problems.ts'

/** What the page reads of the description. */
interface Described {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly info: { readonly title: string; readonly version: string }
}

interface Operation {
  readonly summary?: string
  readonly description?: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> }
}

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema?: Readonly<Record<string, unknown>>
}

export function docsRoutes(app: FastifyInstance): void {
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  app.get('/docs', { schema: { hide: true } }, async (_, reply) =>
    reply.type('text/html; charset=utf-8').send(pageOf(app.swagger() as Described)),
  )
}

function pageOf({ info, paths = {} }: Described): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationOf(method, path, operation)),
  )
  const rows = problems.map(
    ({ code, status, title }) =>
      `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${escaped(title)}</td></tr>`,
  )
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(info.title)}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
  code { font-family: ui-monospace, monospace } td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top }
  section { border-top: 1px solid #8884; margin-top: 1.5rem } tr:target { background: #fd08 } pre { overflow: auto }
</style>
<h1>${escaped(info.title)} ${escaped(info.version)}</h1>
<p>A description for programs is at <a href="/openapi.json">/openapi.json</a>. A picture is restored by</p>
<pre><code>curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' 'http://HOST/v1/restore?task=denoise' -o clean.jpg</code></pre>
${operations.join('\n')}
<section><h2>Problems</h2>
<p>Every error is <code>application/problem+json</code> (RFC 9457) with one of these in <code>code</code>.</p>
<table><tr><th>code</th><th>status</th><th>meaning</th></tr>${rows.join('')}</table></section>
</html>`
}

function operationOf(method: string, path: string, operation: Operation): string {
  const rows = (operation.parameters ?? []).map(
    ({ name, in: where, required, description = '', schema = {} }) =>
      `<tr><td><code>${escaped(name)}</code></td><td>${where}${required ? ', required' : ''}</td><td>${escaped(description)} ${escaped(valuesOf(schema))}</td></tr>`,
  )
  const bodies = Object.keys(operation.requestBody?.content ?? {}).join(', ')
  const body = bodies === '' ? '' : `<tr><td>body</td><td></td><td>${escaped(bodies)}</td></tr>`
  const table = rows.length > 0 || body !== '' ? `<table>${body}${rows.join('')}</table>` : ''
  const { summary = '', description = '' } = operation
  return `<section><h2><code>${method.toUpperCase()} ${escaped(path)}</code></h2>
<p>${escaped(summary)}. ${escaped(description)}</p>${table}</section>`
}

/** The values that a parameter takes. */
function valuesOf({ enum: words, minimum, maximum }: Readonly<Record<string, unknown>>): string {
  if (Array.isArray(words)) return `One of ${words.join(', ')}.`
  return typeof minimum === 'number' && typeof maximum === 'number' ? `${minimum} to ${maximum}.` : ''
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
