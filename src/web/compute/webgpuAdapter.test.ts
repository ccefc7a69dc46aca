import { afterEach, expect, test, vi } from 'vitest'
import { graphicsCard } from './webgpuAdapter.ts'

afterEach(() => vi.unstubAllGlobals())

const withAdapter = (adapter: unknown) => ({ gpu: { requestAdapter: async () => adapter } })
const named = (info: object) => withAdapter({ info })

test.each([
  ['no navigator', undefined, false],
  ['no WebGPU', {}, false],
  ['no adapter', withAdapter(null), false],
  ['a failure', { gpu: { requestAdapter: () => Promise.reject(new Error('lost')) } }, false],
  ['a fallback adapter', named({ vendor: 'unknown', isFallbackAdapter: true }), false],
  ['a fallback adapter of an older browser', withAdapter({ isFallbackAdapter: true }), false],
  ['SwiftShader', named({ vendor: 'google', architecture: 'swiftshader' }), false],
  ['llvmpipe', named({ vendor: 'mesa', description: 'llvmpipe (LLVM 19.1.7, 256 bits)' }), false],
  ['WARP', named({ vendor: 'microsoft', description: 'Microsoft Basic Render Driver' }), false],
  ['a graphics card', named({ vendor: 'nvidia', architecture: 'turing', isFallbackAdapter: false }), true],
  ['a graphics card that stays unnamed', named({ vendor: '', architecture: '' }), true],
  ['a graphics card without information', withAdapter({}), true],
])('%s', async (_, navigator, expected) => {
  vi.stubGlobal('navigator', navigator)
  expect((await graphicsCard()) !== undefined).toBe(expected)
})
