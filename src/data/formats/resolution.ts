// How large, or of which shape, the pixels of a file are meant to be.

/** Pixels per length, which scanners and fax machines give for each direction; their ratio where no length is meant. */
export interface Resolution {
  readonly x: number
  readonly y: number
  /** @default 'inch' */
  readonly unit?: 'cm' | 'none' | undefined
}

/** What a file states; undefined if that is no resolution, or that pixels are square. */
export function resolutionOf(
  x: number,
  y: number,
  unit: 'inch' | 'cm' | 'none' | undefined,
): Resolution | undefined {
  if (!unit || !(x > 0 && y > 0 && Number.isFinite(x) && Number.isFinite(y))) return undefined
  if (unit === 'inch') return { x, y }
  if (unit === 'cm') return { x, y, unit }
  // Formats but TIFF hold whole numbers.
  const scale = Number.isInteger(x) && Number.isInteger(y) ? 1 : 1000
  return x === y ? undefined : { x: Math.round(x * scale), y: Math.round(y * scale), unit }
}

/** Converts to pixels per inch. */
export function perInch({ x, y, unit }: Resolution): Resolution {
  return unit === 'cm' ? { x: x * 2.54, y: y * 2.54 } : { x, y, unit }
}
