import { expect, test } from 'vitest'
import { escapeHtml } from './html.ts'

test('escapes characters that could end an element or an attribute', () => {
  expect(escapeHtml(`<a href="x">'&'</a>`)).toBe('&#60;a href=&#34;x&#34;&#62;&#39;&#38;&#39;&#60;/a&#62;')
})
