// Regions of a picture, such as faces, which XMP measures on the stored picture: they are turned upright with it.
// Guidelines of the Metadata Working Group 2.0, section 5.9; People Tagging of Windows; IPTC Photo Metadata 2023.2,
// section 13.6.

import type { Document, Element } from '@xmldom/xmldom'
import { isTurned, uprightBox } from '../orientation.ts'
import { descriptionsOf, numberOf, propertyOf, remove, setValue } from './xmpProperties.ts'

const mwg = 'http://www.metadataworkinggroup.com/schemas/regions/'
const area = 'http://ns.adobe.com/xmp/sType/Area#'
const dimensions = 'http://ns.adobe.com/xap/1.0/sType/Dimensions#'
const microsoft = 'http://ns.microsoft.com/photo/1.2/t/Region#'
const iptc = 'http://iptc.org/std/Iptc4xmpExt/2008-02-29/'

/** Texts without which a packet has no regions. */
export const regionMarks = /metadataworkinggroup|photo\/1\.2\/t\/Region#|RegionBoundary/

/** Turns the regions of a packet upright; returns what was left out. */
export function turnRegions(document: Document, orientation: number): readonly string[] {
  const elements = [...document.getElementsByTagName('*')]
  const isUnturnable = (one: Element) =>
    propertyOf(one, iptc, 'rbUnit') === 'pixel' || propertyOf(one, iptc, 'rbShape') === 'circle'
  const isLeft = elements.some(isUnturnable)
  if (isLeft)
    for (const description of descriptionsOf(document))
      remove(description, (namespace, name) => namespace === iptc && name === 'ImageRegion')
  for (const element of elements) {
    turnNamed(element, orientation, { namespace: area, names: ['x', 'y', 'w', 'h'], isCentered: true })
    const names = ['rbX', 'rbY', 'rbW', 'rbH'] as const
    turnNamed(element, orientation, { namespace: iptc, names, isCentered: false })
    turnRectangle(element, orientation)
  }
  if (isTurned(orientation)) for (const element of sizesOf(document)) swapSides(element)
  return isLeft ? ['left out image regions in pixels or of circles, since the picture was turned'] : []
}

/** Sets the size that regions were measured on, where it has the shape of the picture. */
export function resizeRegions(document: Document, width: number, height: number): void {
  for (const element of sizesOf(document)) {
    const [across, down] = [numberOf(element, dimensions, 'w'), numberOf(element, dimensions, 'h')]
    if (!across || !down || Math.abs((across / width) * height - down) > 1) continue
    setValue(element, dimensions, 'w', `${width}`)
    setValue(element, dimensions, 'h', `${height}`)
  }
}

/** Elements that state the size of regions: their properties may be in a description inside. */
function sizesOf(document: Document): readonly Element[] {
  const applied = [...document.getElementsByTagNameNS(mwg, 'AppliedToDimensions')]
  return applied.flatMap((element) => [element, ...element.getElementsByTagName('*')])
}

function swapSides(element: Element): void {
  const [width, height] = [propertyOf(element, dimensions, 'w'), propertyOf(element, dimensions, 'h')]
  if (width === null || height === null) return
  setValue(element, dimensions, 'w', height)
  setValue(element, dimensions, 'h', width)
}

interface NamedBox {
  readonly namespace: string
  /** Properties of place and size. */
  readonly names: readonly [x: string, y: string, width: string, height: string]
  /** Whether the place is that of the center, and not of the upper left corner. */
  readonly isCentered: boolean
}

/** Turns a rectangle or point whose shares of the picture are properties of an element. */
function turnNamed(element: Element, orientation: number, { namespace, names, isCentered }: NamedBox): void {
  const [x, y, width = 0, height = 0] = names.map((name) => numberOf(element, namespace, name))
  if (x === undefined || y === undefined) return
  const turned = turnBox([x, y, width, height], orientation, isCentered)
  for (const [i, name] of names.entries()) setValue(element, namespace, name, turned[i]!)
}

function turnRectangle(element: Element, orientation: number): void {
  const rectangle = propertyOf(element, microsoft, 'Rectangle')
  const [x, y, width, height] = (rectangle ?? '').split(/[\s,]+/).map(Number)
  if (x === undefined || y === undefined || width === undefined || height === undefined) return
  const turned = turnBox([x, y, width, height], orientation, false)
  setValue(element, microsoft, 'Rectangle', turned.join(', '))
}

function turnBox(
  [x, y, width, height]: readonly [number, number, number, number],
  orientation: number,
  isCentered: boolean,
): readonly string[] {
  const half = isCentered ? 0 : 0.5
  const box = uprightBox(orientation, { x: x + half * width, y: y + half * height, width, height })
  return [box.x - half * box.width, box.y - half * box.height, box.width, box.height].map(
    (value) => `${Number(value.toFixed(6))}`,
  )
}
