// Removes where a picture was taken, and the places that its description names.

import { exifWithoutLocation } from './exif.ts'
import type { ImageMetadata } from './imageMetadata.ts'
import { iptcWithoutLocation } from './iptc.ts'
import { xmpWithoutLocation } from './xmp.ts'

const placeWords = /gps|geo|location|latitude|longitude|altitude|city|country|place/i

/** Metadata without coordinates and names of places: GPS in EXIF and XMP, and the entries of IPTC. */
export async function withoutLocation(metadata: ImageMetadata): Promise<ImageMetadata> {
  const { exif, xmp, iptc, texts } = metadata
  return {
    ...metadata,
    exif: exif && exifWithoutLocation(exif),
    xmp: xmp && (await xmpWithoutLocation(xmp)),
    iptc: iptc && iptcWithoutLocation(iptc),
    texts: texts?.filter(({ keyword }) => !placeWords.test(keyword)),
  }
}
