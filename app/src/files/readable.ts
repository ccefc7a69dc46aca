// Files of formats that most browsers lack, as PNG, which everything in the page reads.

/** A file that the browser reads, and what converting it left out. */
export interface Readable {
  readonly file: Blob
  readonly notes: readonly string[]
}

/** Converted files that are kept: of the photo that is shown, and of the one that is restored. */
const maxKept = 2

/** Reads files as they are, or converts them once. */
export function createReader(convert: (file: File) => Promise<Readable>): (file: Blob) => Promise<Readable> {
  const kept = new Map<string, Promise<Readable>>()
  return async (file) => {
    if (!(file instanceof File) || !(await needsDecoder(file))) return { file, notes: [] }
    // A handle gives another file object every time.
    const key = JSON.stringify([file.name, file.size, file.lastModified])
    const converted = kept.get(key) ?? convert(file)
    kept.delete(key)
    kept.set(key, converted)
    converted.catch(() => kept.delete(key))
    for (const oldest of [...kept.keys()].slice(0, -maxKept)) kept.delete(oldest)
    return converted
  }
}

/** Whether a file is a HEIC or a JPEG XL, as a codestream or in a container. */
async function needsDecoder(file: Blob): Promise<boolean> {
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()))
  return head.startsWith('\xff\n') || /^....(?:ftyp(?!avi[fs])|JXL )/s.test(head)
}
