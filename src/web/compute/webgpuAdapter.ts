// Tells WebGPU on a graphics card from WebGPU computed by the CPU, which is many times slower than WebAssembly.

/** Facts about an adapter; browsers leave unknown ones empty. */
interface AdapterInfo {
  readonly vendor?: string
  readonly architecture?: string
  readonly device?: string
  readonly description?: string
  readonly isFallbackAdapter?: boolean
}

interface Adapter {
  readonly info?: AdapterInfo
  /** Where older browsers report it. */
  readonly isFallbackAdapter?: boolean
}

interface Gpu {
  requestAdapter(options: { readonly powerPreference: 'high-performance' }): Promise<Adapter | null>
}

/** Software drivers: Chrome's, Mesa's and Windows' (WARP). */
const softwareDriver = /swiftshader|llvmpipe|lavapipe|softpipe|\bwarp\b|basic render/i

/**
 * Names the WebGPU adapter of this page or worker; undefined if there is none, or if the CPU computes it. Names may be
 * empty.
 */
export async function graphicsCard(): Promise<string | undefined> {
  const navigator: { readonly gpu?: Gpu } | undefined = Reflect.get(globalThis, 'navigator')
  const adapter = await navigator?.gpu
    ?.requestAdapter({ powerPreference: 'high-performance' })
    .catch(() => null)
  if (!adapter) return undefined
  const { info = {} } = adapter
  const name = [info.vendor, info.architecture, info.device, info.description].join(' ').trim()
  const isSoftware = adapter.isFallbackAdapter || info.isFallbackAdapter || softwareDriver.test(name)
  return isSoftware ? undefined : name
}
