// Chooses between WebGPU and WebAssembly: WebGPU only where a graphics card computes a tile of the network like the
// CPU, and faster. What was found is kept for the next visit.

import { messageOf, RestoreError } from '../../core/errors.ts'
import type { Image } from '../../data/image.ts'
import type { NetworkDescription } from '../../models/networkDescriptor.ts'
import { checkDevice, deviceCheckOutput, type OpenCheckSession } from '../../runtime/session/deviceCheck.ts'
import { tracedSession } from '../../runtime/session/onnxSession.ts'
import type { TiledRestoration } from '../../runtime/tiledRestoration.ts'
import type { Device, SessionHost } from './sessionHost.ts'
import { readVerdict, writeVerdict } from './verdicts.ts'
import { graphicsCard } from './webgpuAdapter.ts'

/** What a device made of a tile, and how long it took. */
export interface Measured {
  readonly output: Float32Array
  readonly seconds: number
}

interface Choice {
  readonly host: SessionHost
  /** SHA-256 of the weights, for which a verdict holds. */
  readonly weights?: string | undefined
  /** Runs a tile of the network; without it, a tiny network of Limpid's own decides. */
  readonly measure?: (device: Device) => Promise<Measured>
}

/** One level of 8 bits: networks in float32 differ by less between devices. */
const toleratedDifference = 1 / 255

/** A run that takes longer needs no second one to be timed. */
const longSeconds = 0.5

/** Selects the device: the CPU must work, and WebGPU must give the same results. @throws RestoreError */
export async function chooseDevice(wanted: string | undefined, choice: Choice): Promise<Device> {
  const device = wanted ?? 'auto'
  if (device !== 'auto' && device !== 'webgpu' && device !== 'cpu')
    throw new RestoreError('usage', `device: expected auto, webgpu or cpu, got ${device}`)
  const { host } = choice
  const expected = await outputOnCpu(host)
  if (device === 'cpu') return device
  if (device === 'webgpu') {
    await checkDevice('webgpu', openOn(host, 'webgpu'), expected).catch((error: unknown) => {
      throw new RestoreError('environment', `webgpu: does not work here (${messageOf(error)}); use cpu`, {
        cause: error,
      })
    })
    return device
  }
  const card = host.deviceFor('webgpu') === 'webgpu' ? await graphicsCard() : undefined
  if (card === undefined) return 'cpu'
  const key = `${card} ${choice.weights}`
  const known = await readVerdict(key)
  if (known) return known
  const verdict = await verdictOn(choice, expected)
  await writeVerdict(key, verdict)
  return verdict
}

/** Whether WebGPU computes the same as the CPU, and faster. */
async function verdictOn({ host, measure }: Choice, expected: Float32Array): Promise<Device> {
  try {
    await checkDevice('webgpu', openOn(host, 'webgpu'), expected)
    if (!measure) return 'webgpu'
    const [cpu, gpu] = [await measure('cpu'), await measure('webgpu')]
    const isEqual = cpu.output.every((value, i) => Math.abs(value - gpu.output[i]!) <= toleratedDifference)
    return isEqual && gpu.seconds < cpu.seconds ? 'webgpu' : 'cpu'
  } catch {
    return 'cpu'
  }
}

/** What the CPU makes of the tiny network, which is found out once. */
const outputs = new WeakMap<SessionHost, Promise<Float32Array>>()

function outputOnCpu(host: SessionHost): Promise<Float32Array> {
  const known = outputs.get(host)
  if (known) return known
  const output = deviceCheckOutput(openOn(host, 'cpu'))
  outputs.set(host, output)
  return output.catch((error: unknown) => {
    outputs.delete(host)
    const advice = 'serve the files of onnxruntime-web, and name their folder in ort.env.wasm.wasmPaths'
    throw new RestoreError(
      'environment',
      `runtime: does not work in this page (${messageOf(error)}); ${advice}`,
      { cause: error },
    )
  })
}

function openOn(host: SessionHost, device: Device): OpenCheckSession {
  // A worker that crashes with the CPU is started again, as with every graph.
  const options = { isTrial: device === 'webgpu' }
  return (_, forward) => tracedSession({ forward }, (onnx) => host.open(onnx, device, options))
}

/** Side of the tile that devices are compared on. */
const tilePx = 128

/** Restores a tile and measures the time, opening excluded where it is a large part. */
export async function measureRestoration(
  { size, channels }: Pick<NetworkDescription, 'size' | 'channels'>,
  open: () => { readonly restoration: TiledRestoration; readonly close: () => Promise<void> },
): Promise<Measured> {
  const { restoration, close } = open()
  const side = Math.max(tilePx, ...(size.fixedTile ?? []))
  const tile = testTile(side, channels.input === 1 ? 1 : 3)
  const run = async (): Promise<Measured> => {
    const started = performance.now()
    const { image } = await restoration.restorePlanes(tile, {})
    return { output: image.data, seconds: (performance.now() - started) / 1000 }
  }
  try {
    const first = await run()
    return first.seconds > longSeconds ? first : await run()
  } finally {
    await close()
  }
}

/** Slopes, an edge and grain, as photos have them. */
function testTile(side: number, channels: number): Image {
  const data = Float32Array.from({ length: channels * side * side }, (_, i) => {
    const [x, y] = [(i % side) / side, (Math.floor(i / side) % side) / side]
    const grain = (((i * 2654435761) % 1000) / 1000 - 0.5) * 0.1
    return Math.min(Math.max((x + y > 1 ? 0.2 : 0.6) + 0.3 * x * y + grain, 0), 1)
  })
  return { width: side, height: side, channels, data }
}
