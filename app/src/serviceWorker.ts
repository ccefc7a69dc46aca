// Keeps the app for use without a network, supplies the headers of isolation where the host cannot, and takes photos that are shared
// to the app.

/** Set when the app is built. */
declare const __SHELL_FILES__: readonly string[]
/** Files of the bundle that few visits need. */
declare const __LATER_FILES__: readonly string[]
declare const __SHELL_VERSION__: string
declare const RUNTIME_FOLDER: string

interface ExtendableEvent extends Event {
  waitUntil(promise: Promise<unknown>): void
}

interface FetchEvent extends ExtendableEvent {
  readonly request: Request
  respondWith(response: Promise<Response>): void
}

interface Scope extends EventTarget {
  readonly registration: ServiceWorkerRegistration
  readonly clients: { claim(): Promise<void> }
  skipWaiting(): Promise<void>
}

const scope = self as unknown as Scope
const base = scope.registration.scope

const shellCache = `limpid-shell-${__SHELL_VERSION__}`
/** ONNX Runtime, decoders and the demos: large or rarely used, so they are kept once they were fetched. */
const laterCache = 'limpid-later'
const sharedCache = 'limpid-shared'
const isKeptLater = (path: string) =>
  path.startsWith(RUNTIME_FOLDER) || path.startsWith('demos/') || __LATER_FILES__.includes(path)

scope.addEventListener('install', (event) => {
  const store = async () => {
    const cache = await caches.open(shellCache)
    await cache.addAll(
      ['./', ...__SHELL_FILES__].map((name) => new Request(new URL(name, base), { cache: 'reload' })),
    )
  }
  ;(event as ExtendableEvent).waitUntil(store())
})

scope.addEventListener('activate', (event) => {
  const cleanUp = async () => {
    for (const name of await caches.keys())
      if (name.startsWith('limpid-shell-') && name !== shellCache) await caches.delete(name)
    const later = await caches.open(laterCache)
    for (const request of await later.keys())
      if (!isKeptLater(pathOf(request.url))) await later.delete(request)
    await scope.clients.claim()
  }
  ;(event as ExtendableEvent).waitUntil(cleanUp())
})

scope.addEventListener('message', (event) => {
  if ((event as MessageEvent).data === 'take-over') void scope.skipWaiting()
})

scope.addEventListener('fetch', (event) => {
  const { request } = event as FetchEvent
  const path = pathOf(request.url)
  if (!request.url.startsWith(base)) return
  if (request.method === 'POST' && path === 'share') (event as FetchEvent).respondWith(receive(request))
  // The page keeps the weights itself, apart from the app; the server's answers are kept by nobody.
  if (request.method !== 'GET' || path.startsWith('weights/') || path.startsWith('v1/')) return
  ;(event as FetchEvent).respondWith(answer(request, path))
})

function pathOf(url: string): string {
  return url.slice(base.length).replace(/[?#].*$/, '')
}

async function answer(request: Request, path: string): Promise<Response> {
  const shell = await caches.open(shellCache)
  const stored = await shell.match(path === 'index.html' ? base : new URL(path, base))
  if (stored) return isolated(stored)
  const later = await caches.open(laterCache)
  const kept = await later.match(request)
  if (kept) return isolated(kept)
  const response = await fetch(request)
  // Without room, the file is fetched again in the next visit.
  if (response.ok && isKeptLater(path)) await later.put(request, response.clone()).catch(() => {})
  return isolated(response)
}

/** Adds what makes a page isolated, which threads need. */
function isolated(response: Response): Response {
  const headers = new Headers(response.headers)
  headers.set('Cross-Origin-Opener-Policy', 'same-origin')
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp')
  headers.set('Cross-Origin-Resource-Policy', 'same-origin')
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
}

/** Leaves shared photos where the page finds them. */
async function receive(request: Request): Promise<Response> {
  const cache = await caches.open(sharedCache)
  const form = await request.formData()
  for (const [i, file] of form.getAll('photos').entries()) {
    if (!(file instanceof File)) continue
    const address = new URL(`shared/${i}/${encodeURIComponent(file.name)}`, base)
    await cache.put(address, new Response(file, { headers: { 'content-type': file.type } }))
  }
  return Response.redirect(`${base}?shared`, 303)
}
