"""Makes the HEIC and AVIF files beside it: pip install pillow-heif numpy; python make.py

Left half red, right half blue, the upper half darker; 64 x 48, lossless but for the conversion to YCbCr.
"""

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

pillow_heif.register_heif_opener()
pixels = np.zeros((48, 64, 3), np.uint8)
pixels[:, :32] = (200, 40, 30)
pixels[:, 32:] = (20, 90, 220)
pixels[:24] //= 2
image = Image.fromarray(pixels)
lossless = {"quality": -1, "chroma": 444}

pillow_heif.from_pillow(image).save("8.heic", **lossless)

exif = Image.Exif()
exif[0x0112] = 6
exif[0x010F] = "Canon"
profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
image.save("turned.heic", exif=exif.tobytes(), icc_profile=profile, **lossless)

transparent = image.copy()
transparent.putalpha(Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))))
pillow_heif.from_pillow(transparent).save("alpha.heic", **lossless)

several = pillow_heif.HeifFile()
several.add_from_pillow(image)
several.add_from_pillow(image.rotate(180))
several.save("several.heic", **lossless)

deep = (pixels.astype(np.uint16) * 257).tobytes()
for bits in 10, 12:
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    pillow_heif.from_bytes(mode="RGB;16", size=(64, 48), data=deep).save(f"{bits}.heic", **lossless)

# By boxes for rotation and mirror, which Pillow derives from EXIF.
exif[0x0112] = 7
image.resize((40, 24)).save("turned.avif", quality=98, subsampling="4:4:4", exif=exif.tobytes())
