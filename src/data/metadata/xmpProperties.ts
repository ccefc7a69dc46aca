// Properties of XMP, which are attributes or elements. XMP part 1 (ISO 16684-1), section 7.

import type { Document, Element, Node } from '@xmldom/xmldom'

/** A property by its namespace and local name. */
export type Rule = (namespace: string, name: string) => boolean

export function descriptionsOf(document: Document): readonly Element[] {
  return [...document.getElementsByTagNameNS('http://www.w3.org/1999/02/22-rdf-syntax-ns#', 'Description')]
}

/** Removes properties; returns how many. */
export function remove(description: Element, rule: Rule): number {
  const attributes = [...description.attributes].filter((one) =>
    rule(one.namespaceURI ?? '', one.localName ?? ''),
  )
  for (const attribute of attributes) description.removeAttributeNode(attribute)
  const elements = [...description.childNodes].filter(
    (one: Node) => one.nodeType === 1 && rule(one.namespaceURI ?? '', one.localName ?? ''),
  )
  for (const element of elements) description.removeChild(element)
  return attributes.length + elements.length
}

export function propertyOf(parent: Element, namespace: string, name: string): string | null {
  const child = [...parent.childNodes].find((one) => one.namespaceURI === namespace && one.localName === name)
  return parent.getAttributeNS(namespace, name) || (child?.textContent ?? null)
}

/** The number that a property states; undefined if it states none. */
export function numberOf(parent: Element, namespace: string, name: string): number | undefined {
  const value = Number.parseFloat(propertyOf(parent, namespace, name) ?? '')
  return Number.isFinite(value) ? value : undefined
}

/** Sets a property where it is there. */
export function setValue(parent: Element, namespace: string, name: string, value: string): void {
  const attribute = parent.getAttributeNodeNS(namespace, name)
  if (attribute) attribute.value = value
  for (const child of [...parent.childNodes])
    if (child.namespaceURI === namespace && child.localName === name) child.textContent = value
}
