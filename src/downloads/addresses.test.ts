import { expect, test } from 'vitest'
import { isAddress, parseAddress, redirectedTo, safeNameOf } from './addresses.ts'

test.each([
  ['https://example.com/a.pth', true],
  ['HTTPS://EXAMPLE.COM/A.PTH', true],
  ['file:///etc/passwd', true],
  ['real-esrgan-x4plus', false],
  ['C:\\models\\a.pth', false],
  ['C:/models/a.pth', false],
  ['models/a.pth', false],
])('%s is an address: %s', (text, expected) => {
  expect(isAddress(text)).toBe(expected)
})

test.each([
  ['file:///etc/passwd', 'got the scheme file:'],
  ['ftp://example.com/x', 'got the scheme ftp:'],
  ['data://x', 'got the scheme data:'],
  ['https://', 'got none that can be read'],
  [
    'https://me@example.com/x',
    'https://…@example.com/x: expected an address https://…, got one with a name or password',
  ],
])('%s is refused', (text, message) => {
  expect(() => parseAddress(text)).toThrow(message)
})

test('an address loses its fragment', () => {
  expect(parseAddress('https://example.com/x?a=b#c').href).toBe('https://example.com/x?a=b')
})

test('a redirect may not leave encryption', () => {
  const from = new URL('https://example.com/a')
  expect(() => redirectedTo(from, 'http://example.com/a')).toThrow(
    'redirects to http://example.com/a, which is not encrypted',
  )
  expect(redirectedTo(from, '//cdn.example.com/a').href).toBe('https://cdn.example.com/a')
  expect(redirectedTo(new URL('http://example.com/a'), 'https://example.com/a').protocol).toBe('https:')
})

test.each([
  ['https://example.com/models/a.pth?download=true', 'a.pth'],
  ['https://example.com/', 'file'],
  ['https://example.com/..%2F..%2Fetc%2Fpasswd', '_.._etc_passwd'],
  ['https://example.com/.ssh', 'ssh'],
  ['https://example.com/a%00b;c.pth', 'a_b_c.pth'],
  ['https://example.com/-rf', 'rf'],
  [`https://example.com/${'x'.repeat(300)}.pth`, `${'x'.repeat(76)}.pth`],
])('the file of %s is named %s', (address, name) => {
  expect(safeNameOf(new URL(address))).toBe(name)
})
