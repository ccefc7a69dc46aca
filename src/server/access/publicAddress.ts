// Which IP addresses are of the public internet. An IPv6 address that embeds an IPv4 address is as public as that.

import ipaddr from 'ipaddr.js'

/** Whether an address is public unicast: not of this machine, a private network, or a special use. */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.parse(text)
  if (address.kind() === 'ipv4') return address.range() === 'unicast'
  const bytes = address.toByteArray()
  const embedded = embeddedIn(bytes)
  if (embedded.length > 0) return embedded.every((part) => isPublicAddress(part.join('.')))
  return address.range() === 'unicast'
}

/** IPv4 addresses in an IPv6 address of 16 bytes. */
function embeddedIn(bytes: readonly number[]): readonly (readonly number[])[] {
  const starts = (...prefix: readonly number[]) => prefix.every((byte, i) => bytes[i] === byte)
  const last = bytes.slice(12)
  const zeros = (from: number, to: number) => bytes.slice(from, to).every((byte) => byte === 0)
  // IPv4-mapped and IPv4-compatible (RFC 4291, section 2.5.5), and translated (RFC 2765).
  if (zeros(0, 10) && bytes[10] === 0xff && bytes[11] === 0xff) return [last]
  if (zeros(0, 12)) return [last]
  if (zeros(0, 8) && bytes[8] === 0xff && bytes[9] === 0xff && zeros(10, 12)) return [last]
  // NAT64 (RFC 6052), and its local prefix (RFC 8215), whose place of the address is not known.
  if (starts(0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0)) return [last]
  if (starts(0, 0x64, 0xff, 0x9b, 0, 1)) return [[0, 0, 0, 0]]
  // 6to4 (RFC 3056).
  if (starts(0x20, 0x02)) return [bytes.slice(2, 6)]
  // Teredo (RFC 4380): the server, and the client with its bits inverted.
  if (starts(0x20, 0x01, 0, 0)) return [bytes.slice(4, 8), last.map((byte) => byte ^ 0xff)]
  // ISATAP (RFC 5214).
  if ((bytes[8]! & 0xfd) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe) return [last]
  return []
}
