// Reads PyTorch files: zip archives (torch.save since 1.6, TorchScript) and the legacy stream of pickles.
// Layout: torch/serialization.py and caffe2/serialize/inline_container.h, see PyTorch's serialization notes.

import { dtypeBytes } from '../core/data.ts'
import { findAllowed, type StorageRef, storageOf } from './allowedGlobals.ts'
import { ByteCursor } from './byteCursor.ts'
import { type ByteSource, malformed, memorySource, within } from './checkpoint.ts'
import type { StorageReader } from './tensorViews.ts'
import { describe, type PickleValue, unpickle } from './unpickle.ts'
import { ZipArchive, type ZipEntry } from './zip.ts'

/** The saved object, with its tensors still in the file. */
export interface SavedObject {
  readonly root: PickleValue
  readonly container: 'zip' | 'legacy' | 'torchscript'
  readonly storages: StorageReader
}

const legacyMagic = 0x1950a86a20f9469cfc6cn
const legacyProtocol = 1001
const maxPickleBytes = 128 * 2 ** 20

export function readTorchZip(source: ByteSource): SavedObject {
  const archive = new ZipArchive(source)
  const folder = findFolder(archive)
  checkByteOrder(archive, folder)
  const isTorchScript = archive.entries.has(`${folder}constants.pkl`)
  const entry = archive.entries.get(`${folder}data.pkl`)!
  if (entry.size > maxPickleBytes) {
    throw malformed(`record ${entry.name}: expected at most ${maxPickleBytes} bytes, got ${entry.size}`)
  }
  const pickle = memorySource(archive.read(entry))
  const catalog = new StorageCatalog()
  const root = within(`record ${entry.name}`, () =>
    unpickle(new ByteCursor(pickle), {
      findGlobal: (module, name) => findAllowed(module, name, isTorchScript),
      loadPersistent: (id) => catalog.add(id),
    }),
  )
  return {
    root,
    container: isTorchScript ? 'torchscript' : 'zip',
    storages: zipStorages(archive, folder),
  }
}

/** PyTorch stores its records in one folder of any name. */
function findFolder(archive: ZipArchive): string {
  const names = [...archive.entries.keys()]
  const found = names
    .filter((name) => name === 'data.pkl' || name.endsWith('/data.pkl'))
    .sort((a, b) => a.length - b.length)
  if (found.length > 1 && found[0]!.length === found[1]!.length) {
    throw malformed(`contains two checkpoints, ${found[0]} and ${found[1]}; unpack it and choose one`)
  }
  if (found[0] !== undefined) return found[0].slice(0, -'data.pkl'.length)
  if (names.some((name) => name.endsWith('/model.json'))) {
    throw malformed('a TorchScript archive from before PyTorch 1.4; save it again with a newer PyTorch')
  }
  const inside = names.slice(0, 5).join(', ') || 'nothing'
  throw malformed(`a zip archive, but not a PyTorch checkpoint: expected a record data.pkl, found ${inside}`)
}

function checkByteOrder(archive: ZipArchive, folder: string): void {
  const entry = archive.entries.get(`${folder}byteorder`)
  if (!entry) return
  const order = entry.size <= 16 ? new TextDecoder().decode(archive.read(entry)) : 'something else'
  if (order !== 'little') {
    throw malformed(`expected byte order 'little', got '${order}': save it again on a little-endian machine`)
  }
}

function zipStorages(archive: ZipArchive, folder: string): StorageReader {
  function find(storage: StorageRef): ZipEntry {
    const name = `${folder}data/${storage.key}`
    const entry = archive.entries.get(name)
    if (!entry) throw malformed(`expected a record ${name}, found none`)
    return entry
  }
  return {
    check(storage) {
      const entry = find(storage)
      const expected = storage.numel * dtypeBytes[storage.dtype]
      if (entry.size !== expected) {
        throw malformed(`expected ${expected} bytes in record ${entry.name}, got ${entry.size}`)
      }
    },
    read: (storage, offset, length) => archive.read(find(storage), offset, length),
  }
}

/** Storages named in a pickle; a key must always refer to the same storage. */
class StorageCatalog {
  readonly #byKey = new Map<string, { numel: number; bytes: number }>()

  add(id: PickleValue): StorageRef {
    const { storage, whole } = storageOf(id)
    const bytes = whole * dtypeBytes[storage.dtype]
    const before = this.#byKey.get(storage.key)
    if (before && before.bytes !== bytes) {
      throw malformed(`storage ${storage.key} has ${before.bytes} bytes in one place and ${bytes} in another`)
    }
    this.#byKey.set(storage.key, { numel: whole, bytes })
    return storage
  }

  get(key: string): { numel: number; bytes: number } {
    const found = this.#byKey.get(key)
    if (!found) throw malformed('belongs to no tensor: the file is damaged')
    return found
  }
}

/** Whether a file is a legacy checkpoint, which starts with a pickled magic number. */
export function isLegacy(source: ByteSource): boolean {
  return unpickle(new ByteCursor(source), nothingAllowed) === legacyMagic
}

const nothingAllowed = {
  findGlobal(module: string, name: string): never {
    throw malformed(`${module}.${name} is not allowed here`)
  },
  loadPersistent(): never {
    throw malformed('storages are not allowed here')
  },
}

/**
 * Reads magic number, protocol, system, object and storage keys, then each storage as
 * an 8-byte length and its elements.
 */
export function readLegacy(source: ByteSource): SavedObject {
  const cursor = new ByteCursor(source)
  const catalog = new StorageCatalog()
  const host = { findGlobal: findAllowed, loadPersistent: (id: PickleValue) => catalog.add(id) }
  unpickle(cursor, nothingAllowed)
  const protocol = unpickle(cursor, nothingAllowed)
  if (protocol !== legacyProtocol) {
    throw malformed(`expected legacy protocol ${legacyProtocol}, got ${describe(protocol)}`)
  }
  const system = within('its system record', () => unpickle(cursor, nothingAllowed))
  if (system instanceof Map && system.get('little_endian') === false) {
    throw malformed(
      'expected little-endian numbers, got big-endian: save it again on a little-endian machine',
    )
  }
  const root = within('its object', () => unpickle(cursor, host))
  const keys = within('its list of storages', () => unpickle(cursor, nothingAllowed))
  if (!Array.isArray(keys)) throw malformed(`expected a list of storages, got ${describe(keys)}`)
  const offsets = locateStorages(cursor, keys, catalog)
  return { root, container: 'legacy', storages: legacyStorages(source, offsets) }
}

function locateStorages(
  cursor: ByteCursor,
  keys: readonly PickleValue[],
  catalog: StorageCatalog,
): Map<string, number> {
  const offsets = new Map<string, number>()
  for (const key of keys) {
    if (typeof key !== 'string' || offsets.has(key))
      throw malformed(`lists the storage ${describe(key)} twice`)
    within(`storage ${key}`, () => {
      const { numel, bytes } = catalog.get(key)
      const found = cursor.length64()
      if (found !== numel) throw malformed(`expected ${numel} elements, got ${found}: the file is damaged`)
      offsets.set(key, cursor.position)
      cursor.skip(bytes)
    })
  }
  if (cursor.remaining > 0)
    throw malformed(`${cursor.remaining} bytes follow its last storage: it is damaged`)
  return offsets
}

function legacyStorages(source: ByteSource, offsets: ReadonlyMap<string, number>): StorageReader {
  function find(storage: StorageRef): number {
    const offset = offsets.get(storage.key)
    if (offset === undefined) throw malformed(`expected a storage ${storage.key}, found none`)
    return offset + storage.start * dtypeBytes[storage.dtype]
  }
  return {
    check: (storage) => void find(storage),
    read: (storage, offset, length) => source.read(find(storage) + offset, length),
  }
}
