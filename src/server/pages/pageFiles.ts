// The app's pages as responses: files of its build and of folders beside it.

import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, normalize, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { packageFolder } from '../../data/packageFiles.ts'
import { pageHeaders } from './pageHeaders.ts'

/** Where pages are. */
export interface PageFolders {
  /** Folder of the built app. */
  readonly folder: string
  /** Folders that are served under a name of their own, such as the weights. */
  readonly besides: Readonly<Record<string, string>>
  /** How the server beside the pages is reached, which they are told; undefined where there is none. */
  readonly server?: 'open' | 'key' | undefined
}

/** The app that the package holds; undefined where it has not been built. */
export function packagedApp(): PageFolders | undefined {
  const folder = builtAppFolder()
  if (!existsSync(join(folder, 'index.html'))) return undefined
  return { folder, besides: { weights: join(packageFolder(), 'weights') } }
}

/** Where the built app is expected. */
export function builtAppFolder(): string {
  return join(packageFolder(), 'dist', 'app')
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.tsv': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.wasm': 'application/wasm',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
}

/** Types worth compressing; WebAssembly comes faster as it is, from this machine. */
const compressed = /^(?:text\/|application\/manifest|image\/svg)/

/** The file at a path, given as its decoded parts; undefined for none, or one outside the folders. */
export function findPage(parts: readonly string[], { folder, besides }: PageFolders): string | undefined {
  const [name = '', ...names] = parts
  const beside = Object.hasOwn(besides, name) ? besides[name] : undefined
  const root = beside ?? folder
  const file = join(root, ...(beside ? names : name === '' ? ['index.html'] : parts))
  const isInside = file.startsWith(normalize(root) + sep) && !file.includes('\0')
  return isInside && existsSync(file) && statSync(file).isFile() ? file : undefined
}

/** The decoded parts of an address's path; undefined for one that is malformed. */
export function pathParts(url: string): readonly string[] | undefined {
  try {
    return decodeURIComponent(url.replace(/[?#].*$/, ''))
      .split('/')
      .slice(1)
  } catch {
    return undefined
  }
}

interface Sending {
  readonly file: string
  readonly server?: PageFolders['server']
  /** Compressed files by encoding and path, kept between requests. */
  readonly bodies: Map<string, Buffer>
}

/** Answers GET or HEAD with a file. */
export async function sendPage(
  request: IncomingMessage,
  response: ServerResponse,
  { file, server, bodies }: Sending,
): Promise<void> {
  for (const [name, value] of Object.entries(pageHeaders)) response.setHeader(name, value)
  const type = types[extname(file)] ?? 'application/octet-stream'
  response.setHeader('Content-Type', type)
  // Names of the bundle change with what is in them; of all others, browsers ask again.
  const isHashed = file.includes(`${sep}assets${sep}`)
  response.setHeader('Cache-Control', isHashed ? 'max-age=31536000, immutable' : 'no-cache')
  if (!compressed.test(type)) {
    const { size, mtimeMs } = statSync(file)
    const tag = `"${size.toString(36)}-${Math.round(mtimeMs).toString(36)}"`
    response.setHeader('ETag', tag)
    if (request.headers['if-none-match'] === tag) return void response.writeHead(304).end()
    response.writeHead(200, { 'Content-Length': size })
    if (request.method === 'HEAD') return void response.end()
    return pipeline(createReadStream(file), response)
  }
  const encoding = encodingOf(request.headers['accept-encoding'])
  const body = bodyOf({ file, server, bodies }, encoding)
  if (encoding) response.setHeader('Content-Encoding', encoding)
  response.writeHead(200, { 'Content-Length': body.length, Vary: 'Accept-Encoding' })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** A page that knows of the server beside it. */
function page(text: string, server: PageFolders['server']): Buffer {
  const mark = server ? `<meta name="limpid-server" content="${server}">` : ''
  return Buffer.from(text.replace('<head>', `<head>${mark}`))
}

function encodingOf(accepted: string | string[] | undefined): 'br' | 'gzip' | undefined {
  return (['br', 'gzip'] as const).find((name) => new RegExp(`\\b${name}\\b`).test(String(accepted)))
}

function bodyOf({ file, server, bodies }: Sending, encoding: 'br' | 'gzip' | undefined): Buffer {
  const key = `${encoding} ${file}`
  const known = bodies.get(key)
  if (known) return known
  const plain = file.endsWith('.html') ? page(readFileSync(file, 'utf8'), server) : readFileSync(file)
  const body =
    encoding === 'br'
      ? brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } })
      : encoding === 'gzip'
        ? gzipSync(plain)
        : plain
  bodies.set(key, body)
  return body
}
