import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fetchModel } from '../web.ts'

const bytes = new Uint8Array([1, 2, 3])
const requests: (readonly [url: string, init: RequestInit | undefined])[] = []

beforeEach(() => {
  requests.length = 0
  vi.stubGlobal('location', { href: 'https://page.example/app/index.html', origin: 'https://page.example' })
  vi.stubGlobal('fetch', async (url: URL, init?: RequestInit) => {
    requests.push([String(url), init])
    return new Response(bytes)
  })
})
afterEach(() => vi.unstubAllGlobals())

test('files come from a folder of the page’s origin, and redirects may not leave it', async () => {
  expect(await fetchModel('scunet-real')).toEqual({ weights: bytes })
  expect(await fetchModel('scunet-real', { folder: 'weights' })).toEqual({ weights: bytes })
  expect(await fetchModel('daclip-universal')).toEqual({ weights: bytes, guide: bytes })
  expect(requests.map(([url]) => url)).toEqual([
    'https://page.example/models/scunet_color_real_psnr.pth',
    'https://page.example/app/weights/scunet_color_real_psnr.pth',
    'https://page.example/models/universal-ir.pth',
    'https://page.example/models/daclip_ViT-B-32.pt',
  ])
  for (const [, init] of requests) expect(init?.mode).toBe('same-origin')
})

test.each([
  [
    'scunet-real',
    { folder: 'https://github.com/' },
    "expected one of the page's origin https://page.example, got https://github.com/",
  ],
  ['scunet-real', { folder: '//cdn.example/' }, 'got https://cdn.example/'],
  ['nothing', {}, "unknown model to fetch 'nothing'"],
  ['real-esrgan-x4plus', {}, 'RealESRGAN_x4plus.pth: expected a file of sha256 4fa0'],
])('%s %j is refused', async (name, options, message) => {
  await expect(fetchModel(name, options)).rejects.toThrow(message)
})
