// Builds small ICC profiles from primaries and a curve, for colors that a file states in other ways.
// ICC.1:2022 (profile version 4.4), sections 7.2, 7.3, 8.3 and 10; annex E (Bradford adaptation).

import { apply, invert, type Matrix, multiply, scaleColumns } from './matrix.ts'

type Point = readonly [x: number, y: number]

/** CIE 1931 chromaticities. */
export interface Chromaticities {
  readonly red: Point
  readonly green: Point
  readonly blue: Point
  readonly white: Point
}

/**
 * Parameters g a b c d of a curve to linear light: (ax + b)^g for x ≥ d, cx below; g alone is a power. ICC's
 * function types 0 and 3.
 */
export type CurveParameters = readonly [g: number] | readonly [number, number, number, number, number]

/** XYZ of ICC's white. */
export const d50 = [0.9642, 1, 0.8249] as const

const bradford: Matrix = [0.8951, 0.2664, -0.1614, -0.7502, 1.7135, 0.0367, 0.0389, -0.0685, 1.0296]

/** XYZ of a chromaticity, with Y = 1. */
function xyzOf([x, y]: Point): readonly number[] {
  return [x / y, 1, (1 - x - y) / y]
}

/** From XYZ under a white to XYZ under D50. */
function adaptationFrom(white: readonly number[]): Matrix {
  const cones = apply(bradford, white)
  const gains = apply(bradford, d50).map((value, i) => value / cones[i]!)
  return multiply(invert(bradford), multiply([gains[0]!, 0, 0, 0, gains[1]!, 0, 0, 0, gains[2]!], bradford))
}

/** From linear RGB to XYZ under D50. */
function colorants({ red, green, blue, white }: Chromaticities): Matrix {
  const [r, g, b] = [red, green, blue].map(xyzOf)
  const primaries = [0, 1, 2].flatMap((row) => [r![row]!, g![row]!, b![row]!])
  const gains = apply(invert(primaries), xyzOf(white))
  return multiply(adaptationFrom(xyzOf(white)), scaleColumns(primaries, gains))
}

/**
 * Builds a profile of RGB samples.
 * @param curve of all channels, or of each
 * @returns undefined for chromaticities that span no colors
 */
export function rgbProfile(
  name: string,
  chromaticities: Chromaticities,
  curve: CurveParameters | readonly CurveParameters[],
): Uint8Array<ArrayBuffer> | undefined {
  const matrix = colorants(chromaticities)
  if (!matrix.every((value) => Math.abs(value) < 8)) return undefined
  const tones = isOfEach(curve) ? curve.map(curveTag) : new Array<Uint8Array>(3).fill(curveTag(curve))
  const column = (i: number) => xyzTag([matrix[i]!, matrix[3 + i]!, matrix[6 + i]!])
  return profileOf('RGB ', name, [
    ['rXYZ', column(0)],
    ['gXYZ', column(1)],
    ['bXYZ', column(2)],
    ['rTRC', tones[0]!],
    ['gTRC', tones[1]!],
    ['bTRC', tones[2]!],
    ['chad', tag('sf32', fixed(adaptationFrom(xyzOf(chromaticities.white))))],
  ])
}

function isOfEach(curve: CurveParameters | readonly CurveParameters[]): curve is readonly CurveParameters[] {
  return Array.isArray(curve[0])
}

/** Builds a profile of gray samples from the tag of a curve. */
export function grayProfile(name: string, curve: Uint8Array): Uint8Array<ArrayBuffer> {
  return profileOf('GRAY', name, [['kTRC', curve]])
}

/** The tag of a curve. */
export function curveTag(parameters: CurveParameters): Uint8Array {
  return tag('para', [...bigEndian(parameters.length === 1 ? 0 : 3, 2), 0, 0, ...fixed(parameters)])
}

type Tag = readonly [name: string, bytes: Uint8Array]

function profileOf(space: string, name: string, own: readonly Tag[]): Uint8Array<ArrayBuffer> {
  const tags = [['desc', textTag(name)], ['cprt', textTag('CC0')], ['wtpt', xyzTag(d50)], ...own] as const
  const start = 132 + 12 * tags.length
  // Equal tags share their bytes.
  const unique = [...new Set(tags.map(([, bytes]) => bytes))]
  const places = new Map<Uint8Array, number>()
  let size = start
  for (const bytes of unique) {
    places.set(bytes, size)
    size += Math.ceil(bytes.length / 4) * 4
  }
  const profile = new Uint8Array(size)
  profile.set([...bigEndian(size, 4), ...new Array(4).fill(0), ...bigEndian(0x04400000, 4)])
  profile.set(latin1(`mntr${space}XYZ `), 12)
  profile.set(latin1('acsp'), 36)
  profile.set(fixed(d50), 68)
  profile.set(bigEndian(tags.length, 4), 128)
  for (const [i, [signature, bytes]] of tags.entries()) {
    const entry = [...latin1(signature), ...bigEndian(places.get(bytes)!, 4), ...bigEndian(bytes.length, 4)]
    profile.set(entry, 132 + i * 12)
  }
  for (const [bytes, place] of places) profile.set(bytes, place)
  return profile
}

function tag(type: string, body: readonly number[]): Uint8Array {
  return Uint8Array.of(...latin1(type), 0, 0, 0, 0, ...body)
}

function xyzTag(values: readonly number[]): Uint8Array {
  return tag('XYZ ', fixed(values))
}

/** A multiLocalizedUnicodeType of one string. */
function textTag(text: string): Uint8Array {
  const units = Array.from(text, (_, i) => bigEndian(text.charCodeAt(i), 2)).flat()
  const head = [...bigEndian(1, 4), ...bigEndian(12, 4), ...latin1('enUS')]
  return tag('mluc', [...head, ...bigEndian(units.length, 4), ...bigEndian(28, 4), ...units])
}

/** Numbers as s15Fixed16. */
function fixed(values: readonly number[]): number[] {
  return values.flatMap((value) => bigEndian(Math.round(value * 65536), 4))
}

function bigEndian(value: number, size: number): number[] {
  return Array.from({ length: size }, (_, i) => (value >> (8 * (size - 1 - i))) & 255)
}

function latin1(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0))
}
