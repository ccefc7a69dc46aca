// Text from files and users as messages show it: on one line, short, and without control over the terminal.

const controls = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu

interface EscapeOptions {
  /** Leaves ends of lines and tabs. @default false */
  readonly keepsLines?: boolean
  /** As JSON has it, always with four digits. @default false */
  readonly isJson?: boolean
}

/** Escapes control characters, which could clear a terminal, fake lines or reverse text, as `\\x1b` or `\\u202e`. */
export function escapeControls(
  text: string,
  { keepsLines = false, isJson = false }: EscapeOptions = {},
): string {
  return text.replace(controls, (character) => {
    if (keepsLines && (character === '\n' || character === '\t')) return character
    const hex = character.charCodeAt(0).toString(16)
    return isJson || hex.length > 2 ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`
  })
}

/** Text on one line, cut to `maxLength` characters. */
export function shownText(text: string, maxLength = 120): string {
  return escapeControls(text.length > maxLength ? `${text.slice(0, maxLength)}…` : text)
}

/** Lists names on one line: the first few of many, and how many there are. */
export function listNames(names: readonly string[], { most = 8 } = {}): string {
  const shown = names.slice(0, most).map((name) => shownText(name, 80))
  return shown.join(', ') + (names.length > most ? `, … (${names.length} in all)` : '')
}
