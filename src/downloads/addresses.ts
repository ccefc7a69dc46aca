// Which addresses files are fetched from: http and https without credentials, and from https never to http.

import { RestoreError } from '../core/errors.ts'
import { shownText } from '../core/text.ts'

/** Whether a text is an address rather than a name or a path. */
export function isAddress(text: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(text)
}

/** Parses an address. @throws RestoreError 'usage' for other schemes and for credentials */
export function parseAddress(text: string): URL {
  const problem = (got: string) =>
    new RestoreError(
      'usage',
      `${shownText(withoutCredentials(text))}: expected an address https://…, got ${got}`,
    )
  if (!URL.canParse(text)) throw problem('none that can be read')
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw problem(`the scheme ${url.protocol}`)
  if (url.username !== '' || url.password !== '')
    throw problem('one with a name or password, which logs and messages would show')
  url.hash = ''
  return url
}

function withoutCredentials(text: string): string {
  return text.replace(/\/\/[^/@]*@/, '//…@')
}

/** The address a server redirects to. @throws RestoreError 'input' where that is refused */
export function redirectedTo(from: URL, location: string | undefined): URL {
  const refused = (why: string) =>
    new RestoreError(
      'input',
      `${from.href}: redirects to ${shownText(withoutCredentials(location ?? 'nowhere'))}, ${why}; pass another source with --from`,
    )
  if (location === undefined || !URL.canParse(location, from.href)) throw refused('which is no address')
  const to = new URL(location, from)
  if (to.protocol !== 'https:' && to.protocol !== 'http:') throw refused('which is neither http nor https')
  if (from.protocol === 'https:' && to.protocol === 'http:') throw refused('which is not encrypted')
  if (to.username !== '' || to.password !== '') throw refused('which holds a name or password')
  return to
}

/** A name for a file from the end of its address: letters, digits, dots and dashes only. */
export function safeNameOf(url: URL): string {
  const last = url.pathname.split('/').at(-1) ?? ''
  const name = last.replaceAll(/%[0-9a-f]{2}/gi, '_').replaceAll(/[^\w.-]/g, '_')
  return name.replace(/^[.-]+/, '').slice(-80) || 'file'
}
