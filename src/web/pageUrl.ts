// Addresses relative to the page, for workers, whose own address is another.

declare const document: { readonly baseURI: string } | undefined
declare const location: { readonly href: string }

/** An address in full. */
export function absoluteUrl(url: string | URL): string {
  return new URL(url, typeof document === 'undefined' ? location.href : document.baseURI).href
}
