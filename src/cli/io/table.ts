// Facts in two columns.

import { shownText } from '../../core/text.ts'

/** Longest name and value of a file that is printed whole; --json prints them all. */
const [maxName, maxValue] = [200, 2000]

/** Rows in two columns. Names and values are a stranger's: control characters are escaped, and long ones cut. */
export function tableOf(rows: readonly (readonly [string, string])[]): string {
  const shown = rows.map(([name, value]) => [shownText(name, maxName), shownText(value, maxValue)] as const)
  const width = shown.reduce((widest, [name]) => Math.max(widest, name.length), 0)
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}
