// HTML character references: all numeric ones, and the 253 names of HTML 4 and XML. The 1,900 further names
// of HTML 5 are rare in captions.

/** Names that are valid without a semicolon, each followed by its code point. */
const legacyNames =
  'AElig 198 AMP 38 Aacute 193 Acirc 194 Agrave 192 Aring 197 Atilde 195 Auml 196 COPY 169 Ccedil 199 ' +
  'ETH 208 Eacute 201 Ecirc 202 Egrave 200 Euml 203 GT 62 Iacute 205 Icirc 206 Igrave 204 Iuml 207 LT ' +
  '60 Ntilde 209 Oacute 211 Ocirc 212 Ograve 210 Oslash 216 Otilde 213 Ouml 214 QUOT 34 REG 174 THORN ' +
  '222 Uacute 218 Ucirc 219 Ugrave 217 Uuml 220 Yacute 221 aacute 225 acirc 226 acute 180 aelig 230 ' +
  'agrave 224 amp 38 aring 229 atilde 227 auml 228 brvbar 166 ccedil 231 cedil 184 cent 162 copy 169 ' +
  'curren 164 deg 176 divide 247 eacute 233 ecirc 234 egrave 232 eth 240 euml 235 frac12 189 frac14 188 ' +
  'frac34 190 gt 62 iacute 237 icirc 238 iexcl 161 igrave 236 iquest 191 iuml 239 laquo 171 lt 60 macr ' +
  '175 micro 181 middot 183 nbsp 160 not 172 ntilde 241 oacute 243 ocirc 244 ograve 242 ordf 170 ordm ' +
  '186 oslash 248 otilde 245 ouml 246 para 182 plusmn 177 pound 163 quot 34 raquo 187 reg 174 sect 167 ' +
  'shy 173 sup1 185 sup2 178 sup3 179 szlig 223 thorn 254 times 215 uacute 250 ucirc 251 ugrave 249 uml ' +
  '168 uuml 252 yacute 253 yen 165 yuml 255 '

const otherNames =
  'Alpha 913 Beta 914 Chi 935 Dagger 8225 Delta 916 Epsilon 917 Eta 919 Gamma 915 Iota 921 Kappa 922 ' +
  'Lambda 923 Mu 924 Nu 925 OElig 338 Omega 937 Omicron 927 Phi 934 Pi 928 Prime 8243 Psi 936 Rho 929 ' +
  'Scaron 352 Sigma 931 Tau 932 Theta 920 Upsilon 933 Xi 926 Yuml 376 Zeta 918 alefsym 8501 alpha 945 ' +
  'and 8743 ang 8736 asymp 8776 bdquo 8222 beta 946 bull 8226 cap 8745 chi 967 circ 710 clubs 9827 cong ' +
  '8773 crarr 8629 cup 8746 dArr 8659 dagger 8224 darr 8595 delta 948 diams 9830 empty 8709 emsp 8195 ' +
  'ensp 8194 epsilon 949 equiv 8801 eta 951 euro 8364 exist 8707 fnof 402 forall 8704 frasl 8260 gamma ' +
  '947 ge 8805 hArr 8660 harr 8596 hearts 9829 hellip 8230 image 8465 infin 8734 int 8747 iota 953 isin ' +
  '8712 kappa 954 lArr 8656 lambda 955 lang 10216 larr 8592 lceil 8968 ldquo 8220 le 8804 lfloor 8970 ' +
  'lowast 8727 loz 9674 lrm 8206 lsaquo 8249 lsquo 8216 mdash 8212 minus 8722 mu 956 nabla 8711 ndash ' +
  '8211 ne 8800 ni 8715 notin 8713 nsub 8836 nu 957 oelig 339 oline 8254 omega 969 omicron 959 oplus ' +
  '8853 or 8744 otimes 8855 part 8706 permil 8240 perp 8869 phi 966 pi 960 piv 982 prime 8242 prod 8719 ' +
  'prop 8733 psi 968 rArr 8658 radic 8730 rang 10217 rarr 8594 rceil 8969 rdquo 8221 real 8476 rfloor ' +
  '8971 rho 961 rlm 8207 rsaquo 8250 rsquo 8217 sbquo 8218 scaron 353 sdot 8901 sigma 963 sigmaf 962 ' +
  'sim 8764 spades 9824 sub 8834 sube 8838 sum 8721 sup 8835 supe 8839 tau 964 there4 8756 theta 952 ' +
  'thetasym 977 thinsp 8201 tilde 732 trade 8482 uArr 8657 uarr 8593 upsih 978 upsilon 965 weierp 8472 ' +
  'xi 958 zeta 950 zwj 8205 zwnj 8204 apos 39 '

function table(names: string): ReadonlyMap<string, string> {
  const words = names.trim().split(' ')
  const found = new Map<string, string>()
  for (let i = 0; i < words.length; i += 2) found.set(words[i]!, String.fromCodePoint(Number(words[i + 1])))
  return found
}

const legacy = table(legacyNames)
const named = new Map([...legacy, ...table(otherNames)])

/** Characters that browsers show for 0x80 to 0x9f: Windows-1252, which leaves five undefined. */
const windows1252 =
  '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f' +
  '\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178'

/** Decodes a Windows-1252 byte; undefined bytes map to the same code point. */
export function windows1252Character(byte: number): string {
  return byte >= 0x80 && byte < 0xa0 ? windows1252[byte - 0x80]! : String.fromCharCode(byte)
}

function fromNumber(code: number): string {
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return '\ufffd'
  if (code === 0x0d) return '\r'
  if (code >= 0x80 && code < 0xa0) return windows1252Character(code)
  const isControl = code < 0x20 && ![0x09, 0x0a, 0x0c].includes(code)
  const isNoncharacter = (code & 0xfffe) === 0xfffe || (code >= 0xfdd0 && code < 0xfdf0)
  return isControl || code === 0x7f || code === 0x0b || isNoncharacter ? '' : String.fromCodePoint(code)
}

function fromName(name: string, whole: string): string {
  const known = named.get(name.replace(/;$/, ''))
  if (known !== undefined && (name.endsWith(';') || legacy.has(name))) return known
  // Falls back to the longest known name that is a prefix.
  for (let length = name.length - 1; length > 1; length--) {
    const character = legacy.get(name.slice(0, length))
    if (character !== undefined) return character + name.slice(length)
  }
  return whole
}

/** Resolves character references as HTML 5 specifies. */
export function unescapeHtml(text: string): string {
  return text.replace(
    /&(?:#(\d+);?|#[xX]([\da-fA-F]+);?|([^\t\n\f <&#;]{1,32};?))/g,
    (whole: string, decimal?: string, hexadecimal?: string, name?: string) => {
      if (decimal !== undefined) return fromNumber(Number(decimal))
      if (hexadecimal !== undefined) return fromNumber(Number.parseInt(hexadecimal, 16))
      return fromName(name ?? '', whole)
    },
  )
}
