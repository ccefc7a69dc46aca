// The error for a name that does not exist: lists valid ones and suggests the nearest.

import { RestoreError } from './errors.ts'
import { listNames, shownText } from './text.ts'

/** More names than this are not all listed, but the nearest ones. */
const mostListed = 24

/**
 * Builds the error for an unknown name, of code 'usage'.
 * @param what kind of the name, such as 'option of restore'
 */
export function unknownName(what: string, name: string, valid: readonly string[]): RestoreError {
  const listed = valid.length > mostListed ? listNames(byDistance(name, valid)) : valid.join(', ')
  const all = valid.length > 0 ? `expected one of ${listed}` : 'there are none'
  return new RestoreError('usage', `unknown ${what} '${shownText(name)}': ${all}${nearestName(name, valid)}`)
}

/** Suggests the valid name nearest to one that does not exist, as the end of an error; '' if none is near. */
export function nearestName(name: string, valid: readonly string[]): string {
  const short = shortened(name)
  const [nearest = ''] = byDistance(name, valid)
  const { whole, start } = editDistance(short, nearest)
  const isNear = whole < short.length && whole <= Math.max(2, short.length / 3)
  return isNear || start < short.length / 4 ? `; did you mean ${nearest}?` : ''
}

/** Valid names, the nearest first; a name of which only the start was given is near too. */
function byDistance(name: string, valid: readonly string[]): readonly string[] {
  const short = shortened(name)
  const cost = (one: string) => {
    const { whole, start } = editDistance(short, one)
    return Math.min(whole, start + 1) + whole / 1000
  }
  return [...valid].sort((a, b) => cost(a) - cost(b))
}

function shortened(name: string): string {
  return name.toLowerCase().slice(0, 100)
}

/** Edits that turn one word into another, or into its start. No package does it, since this also runs in browsers. */
function editDistance(a: string, b: string): { readonly whole: number; readonly start: number } {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, replaced))
    }
    row = next
  }
  return { whole: row[b.length]!, start: Math.min(...row) }
}
