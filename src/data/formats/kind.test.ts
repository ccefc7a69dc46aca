import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { decodeBytes, imageSize } from '../decode.ts'
import { imageKind } from './kind.ts'

const bytes = (text: string) => Buffer.from(text.padEnd(64, '\0'), 'latin1')
const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'

describe('a file that is not read is named:', () => {
  test.each<[string, Buffer, string]>([
    ['an empty file', Buffer.alloc(0), 'an empty file'],
    ['a web page', bytes('\xef\xbb\xbf\n <!DOCTYPE html><html>'), 'a web page'],
    ['an SVG', bytes(svg), 'an SVG drawing; export it as PNG'],
    ['an SVG after a declaration', bytes(`<?xml version="1.0"?>\n<!-- x -->\n${svg}`), 'an SVG drawing'],
    ['a packed SVG', gzipSync(svg), 'an archive'],
    ['a PDF', bytes('%PDF-1.7'), 'a PDF document'],
    ['a Photoshop document', bytes('8BPS\0\x01'), 'a Photoshop document'],
    ['a JPEG XL', bytes('\xff\x0a'), 'a JPEG XL image'],
    ['a JPEG 2000', bytes('\0\0\0\x0cjP  \r\n\x87\n'), 'a JPEG 2000 image'],
    ['an OpenEXR', bytes('v/1\x01'), 'an OpenEXR image'],
    ['an animated AVIF', bytes('\0\0\0\x18ftypavis\0\0\0\0msf1avif'), 'an animated AVIF; extract its frames'],
    ['a video', bytes('\0\0\0\x18ftypmp42'), 'a video'],
    ['a CR3', bytes('\0\0\0\x18ftypcrx '), "a camera's raw file (Canon CR3)"],
    ['a CR2', bytes('II*\0\x10\0\0\0CR\x02\0'), "a camera's raw file (Canon CR2)"],
    ['an IIQ', bytes('II*\0\x10\0\0\0IIIITwaR'), "a camera's raw file (Phase One IIQ)"],
    ['an ORF', bytes('IIRO\x08\0\0\0'), "a camera's raw file (Olympus ORF)"],
    ['a RAF', bytes('FUJIFILMCCD-RAW 0201'), "a camera's raw file (Fujifilm RAF)"],
    ['text', bytes('hello'), 'no image format that is known'],
  ])('%s', async (_, file, reason) => {
    await expect(decodeBytes(file)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining(reason),
    })
    await expect(imageSize(file)).rejects.toThrow(reason)
  })
})

test.each([
  ['heic', '\0\0\0\x18ftypheic\0\0\0\0mif1heic'],
  ['heic', '\0\0\0\x18ftypmif1\0\0\0\0mif1heix'],
  ['avif', '\0\0\0\x18ftypmif1\0\0\0\0mif1avif'],
])('%s is told by its brands', (kind, head) => {
  expect(imageKind(Buffer.from(head, 'latin1'))).toBe(kind)
})
