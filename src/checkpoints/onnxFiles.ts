// ONNX files in Node, with weights in files beside them.

import { lstatSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { RestoreError } from '../core/errors.ts'
import { shownText } from '../core/text.ts'
import { malformed, memorySource } from './checkpoint.ts'
import { fileSource } from './files.ts'
import { checkOnnx, type ExternalTensor, isOnnx, type OnnxFile, readOnnx } from './onnx.ts'

/** An ONNX file in memory, ready for a runtime, which opens no file itself. */
export interface OpenedOnnx {
  readonly file: OnnxFile
  readonly bytes: Uint8Array
  /** Files of weights by the path that the model states. */
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[]
}

/** Size limit of a protobuf message. */
const maxBytes = 2 ** 31 - 1

/** Whether a file is ONNX, by its content. @throws RestoreError 'input' if it cannot be read */
export function isOnnxFile(path: string): boolean {
  return isOnnx(fileSource(path))
}

/**
 * Reads an ONNX file and the weights beside it.
 * @throws RestoreError 'input' if a file cannot be read, 'checkpoint' if it is malformed or unsafe
 */
export function openOnnxFile(path: string): OpenedOnnx {
  const source = fileSource(path)
  if (source.size > maxBytes)
    throw malformed(`${path}: expected an ONNX file below 2 GiB, got ${source.size} bytes`)
  const bytes = source.read(0, source.size)
  const file = readOnnx(memorySource(bytes, path))
  checkOnnx(file)
  const locations = [...new Set(file.external.map(({ location }) => location))]
  const externalData = locations.map((location) => {
    const data = readBeside(path, location)
    checkExtents(file, location, data.length)
    return { path: location, data }
  })
  return { file, bytes, externalData }
}

/** Reads a file of weights, which must lie in the model's own folder. */
function readBeside(model: string, location: string): Uint8Array {
  const refuse = (got: string) =>
    malformed(
      `${model}: expected its weights in a file of its own folder, got ${shownText(location) || 'no name'}, ${got}; put them there, or save it as one file`,
    )
  if (location === '' || isAbsolute(location) || /^[a-z]:|[\\\0]/i.test(location))
    throw refuse('which is no relative path')
  const parts = location.split('/')
  if (parts.includes('..')) throw refuse('which leads out of it')
  const folder = realpathSync(dirname(model))
  const path = join(folder, ...parts)
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat)
    throw new RestoreError(
      'input',
      `${model}: expected its weights in ${path}, got no such file; fetch it too, and keep its name ${basename(path)}`,
    )
  if (!stat.isFile() || realpathSync(path) !== path) throw refuse('which is a link or no file')
  const source = fileSource(path)
  return source.read(0, source.size)
}

function checkExtents({ name, external }: OnnxFile, location: string, size: number): void {
  const beyond = external.find((one) => one.location === location && !fits(one, size))
  if (!beyond) return
  const { offset, bytes } = beyond
  throw malformed(
    `${name}: tensor '${shownText(beyond.name)}': expected ${bytes} bytes at ${offset} of ${location}, but it has ${size}: it is cut short`,
  )
}

function fits({ offset, bytes }: ExternalTensor, size: number): boolean {
  return offset >= 0 && bytes >= 0 && offset + bytes <= size
}
