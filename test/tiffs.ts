// Small uncompressed gray TIFFs of several directories, for tests.

export interface Directory {
  readonly width: number
  readonly height: number
  /** Value of all samples. */
  readonly gray: number
  /** More entries: tag, type (3 short, 4 long), value. */
  readonly entries?: readonly (readonly [number, number, number])[]
  readonly below?: readonly Directory[]
}

/** Writes the directories in order, each followed by those below it. */
export function tiffOf(pages: readonly Directory[]): Buffer {
  const parts: Buffer[] = [Buffer.from('II*\0\x08\0\0\0', 'latin1')]
  let length = 8
  const write = (directory: Directory): { readonly start: number; readonly next: () => void } => {
    const { width, height, gray, entries = [], below = [] } = directory
    const start = length
    const count = 9 + entries.length + (below.length > 0 ? 1 : 0)
    const part = Buffer.alloc(2 + count * 12 + 4 + below.length * 4 + width * height)
    parts.push(part)
    length += part.length
    const values = start + 2 + count * 12 + 4
    const starts = below.map((one) => write(one).start)
    const all = [
      ...entries.map(([tag, type, value]) => [tag, type, 1, value] as const),
      [256, 4, 1, width],
      [257, 4, 1, height],
      ...(entries.some(([tag]) => tag === 258) ? [] : [[258, 3, 1, 8] as const]),
      [259, 3, 1, 1],
      ...(entries.some(([tag]) => tag === 262) ? [] : [[262, 3, 1, 1] as const]),
      [273, 4, 1, values + below.length * 4],
      [277, 3, 1, 1],
      [278, 4, 1, height],
      [279, 4, 1, width * height],
      ...(below.length > 0 ? [[330, 4, below.length, starts.length > 1 ? values : starts[0]!] as const] : []),
    ] as const
    part.writeUInt16LE(all.length, 0)
    for (const [i, [tag, type, number, value]] of [...all].sort(([a], [b]) => a - b).entries()) {
      part.writeUInt16LE(tag, 2 + i * 12)
      part.writeUInt16LE(type, 4 + i * 12)
      part.writeUInt32LE(number, 6 + i * 12)
      part.writeUInt32LE(value, 10 + i * 12)
    }
    for (const [i, at] of starts.entries()) part.writeUInt32LE(at, values - start + i * 4)
    part.fill(gray, values - start + below.length * 4)
    return { start, next: () => part.writeUInt32LE(length, 2 + all.length * 12) }
  }
  for (const [i, page] of pages.entries()) {
    const { next } = write(page)
    if (i + 1 < pages.length) next()
  }
  return Buffer.concat(parts)
}
