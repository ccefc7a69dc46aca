// What restorers in a browser run on: where graphs are computed, how much memory a tile may take, and decoders that
// the browser lacks.

import type { RestoreInfo } from '../runtime/pictures/pictureTypes.ts'
import type { OnnxRuntime } from '../runtime/session/onnxSession.ts'
import { hostInThread, type SessionHost } from './compute/sessionHost.ts'
import type { Decoders } from './files/readPicture.ts'

/** Surroundings of a restorer. */
export interface WebPlatform {
  readonly host: SessionHost
  /** Default memory for a tile. */
  readonly memoryBytes: number
  /** Threads of WebAssembly, where they are known. */
  readonly threads?: number | undefined
  readonly decoders?: Decoders | undefined
}

/** What a result reports about the surroundings. */
export function reportedInfo(info: RestoreInfo, { host, threads }: WebPlatform, device: string): RestoreInfo {
  const notes = [...info.notes, ...host.takeNotes()]
  return { ...info, device, ...(threads === undefined ? {} : { threads }), notes }
}

/** A restorer's surroundings with ONNX Runtime in this thread. */
export function platformInThread(runtime: OnnxRuntime): WebPlatform {
  return { host: hostInThread(runtime), memoryBytes: defaultMemoryBytes() }
}

/** What a browser says about its device. */
interface Device {
  /** In GiB, at most 8; only Chromium says it, and only in secure contexts. */
  readonly deviceMemory?: number
  readonly hardwareConcurrency?: number
  readonly userAgent?: string
  readonly maxTouchPoints?: number
}

function deviceOf(): Device {
  return Reflect.get(globalThis, 'navigator') ?? {}
}

/** Whether this is an iPhone or iPad, which calls itself a Mac with touch. */
function isApplePhone({ userAgent = '', maxTouchPoints = 0 }: Device): boolean {
  return /iPhone|iPad|iPod/.test(userAgent) || (userAgent.includes('Macintosh') && maxTouchPoints > 1)
}

/** Memory for a tile: an eighth of the device's, and little on phones, whose browsers end pages that take much. */
export function defaultMemoryBytes(device: Device = deviceOf()): number {
  if (isApplePhone(device)) return 2 ** 28
  const isPhone = /Android|Mobile/.test(device.userAgent ?? '')
  const gib = device.deviceMemory ?? (isPhone ? 2 : 8)
  return Math.min(2 ** 30, Math.max(2 ** 27, (gib * 2 ** 30) / 8))
}

/** Threads of WebAssembly: one where the page is not isolated, and on iOS, where several hang. */
export function defaultThreads(device: Device = deviceOf()): number {
  const isIsolated = Reflect.get(globalThis, 'crossOriginIsolated') === true
  if (!isIsolated || isApplePhone(device)) return 1
  return Math.min(Math.max(device.hardwareConcurrency ?? 1, 1), 8)
}
