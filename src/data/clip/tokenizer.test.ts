import { describe, expect, test } from 'vitest'
import { viewAs } from '../../core/data.ts'
import { unescapeHtml } from './htmlEntities.ts'
import { fixText } from './mojibake.ts'
import { createTokenizer, withoutPadding } from './tokenizer.ts'
import { clipTokenizer } from './vocabulary.ts'

const { encode, decode, tokenize } = clipTokenizer()

describe('the tokenizer', () => {
  // Ids from the official tokenizer.
  test.each([
    ['motion-blurry', [7860, 268, 21977]],
    ['jpeg-compressed', [73, 11207, 268, 42359]],
    ['uncompleted', [569, 5976]],
    ['a photo of a cat', [320, 1125, 539, 320, 2368]],
    ['Hello, World!! 123', [3306, 267, 1002, 748, 272, 273, 274]],
    ["It's a café — naïve 😀", [585, 568, 320, 15304, 2005, 1097, 35689, 563, 7334]],
    ['a &amp;amp; b', [320, 261, 321]],
    ['  two   spaces', [1237, 9006]],
    ['', []],
  ])('encodes %j like the official tokenizer', (text, ids) => {
    expect(encode(text)).toEqual(ids)
  })

  test('decodes ids to words, each followed by a space', () => {
    expect(decode(encode('Naïve café 日本語!'))).toBe('naïve café 日本語 ! ')
  })

  test('pads a row with zeros after the end token', () => {
    const { ids, isCut } = tokenize(['rainy', 'a cat'], { contextLength: 5 })
    expect(Array.from(viewAs(ids.bytes, BigInt64Array), Number)).toEqual([
      49406, 10222, 49407, 0, 0, 49406, 320, 2368, 49407, 0,
    ])
    expect([ids.shape, ids.dtype, isCut]).toEqual([[2, 5], 'int64', [false, false]])
  })

  test('truncates a text that is too long, keeps the end token, and reports it', () => {
    const { ids, isCut } = tokenize(['a photo of a cat', 'a'], { contextLength: 4 })
    expect(Array.from(viewAs(ids.bytes, BigInt64Array), Number).slice(0, 4)).toEqual([
      49406, 320, 1125, 49407,
    ])
    expect(isCut).toEqual([true, false])
  })

  test('withoutPadding drops the columns after the last end token', () => {
    const { ids } = tokenize(['rainy', 'a cat', 'a !'], { contextLength: 7 })
    const kept = withoutPadding(ids)
    expect(Array.from(viewAs(kept.bytes, BigInt64Array), Number)).toEqual([
      49406, 10222, 49407, 0, 49406, 320, 2368, 49407, 49406, 320, 256, 49407,
    ])
    expect(kept.shape).toEqual([3, 4])
  })

  test('recognizes special tokens in text', () => {
    expect(encode('<start_of_text> a')).toEqual([49406, 320])
  })

  test('rejects a file that is not the vocabulary', () => {
    expect(() => createTokenizer(new TextEncoder().encode('version\na b\n'))).toThrow(
      'vocabulary: expected a version line and 48894 merges of two parts',
    )
  })
})

describe('text repair', () => {
  // Expected values from ftfy 6.3.1.
  test.each([
    ['schÃ¶n mojibake â€œquotesâ€\x9d', 'schön mojibake "quotes"'],
    ['sÃƒÂ£o', 'são'],
    ['æ—¥æœ¬èªž', '日本語'],
    ['emoji ðŸ˜€ and café', 'emoji 😀 and café'],
    ['voilà\u00a0« ok »', 'voilà\u00a0« ok »'],
    ['ﬁne Ｆｕｌｌ “curly” ‘single’', 'fine Full "curly" \'single\''],
    ['e\u0301', 'é'],
    ['\x1b[31mred\x1b[0m bell\x07\ufeff', 'red bell'],
    ['a\r\nb\u2028c', 'a\nb\nc'],
    ['&eacute; &#39;', "é '"],
    ['<b> &lt;', '<b> &lt;'],
  ])('repairs %j to %j', (broken, repaired) => {
    expect(fixText(broken)).toBe(repaired)
  })

  test.each([
    ['&lt;b&gt; &amp;lt; &copy; &hellip;', '<b> &lt; © …'],
    ['&notit; &ampx &unknown; &', '¬it; &x &unknown; &'],
    ['&#x41;&#66;&#150;&#0;&#xd800;&#x1f600;', 'AB–\ufffd\ufffd😀'],
  ])('resolves the references in %j to %j', (escaped, text) => {
    expect(unescapeHtml(escaped)).toBe(text)
  })
})
