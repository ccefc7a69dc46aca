// How large the pixels of a file are meant to be.

/** Pixels per inch, which scanners and fax machines give for each direction. */
export interface Resolution {
  readonly x: number
  readonly y: number
}

/** Converts numbers of pixels in a unit that is a part of an inch; undefined if they are no resolution. */
export function resolutionOf(x: number, y: number, perInch: number | undefined): Resolution | undefined {
  if (perInch === undefined || !(x > 0 && y > 0 && Number.isFinite(x) && Number.isFinite(y))) return undefined
  return { x: x * perInch, y: y * perInch }
}
