// Small pictures of the list.

const side = 96

/** Address of a small copy of a picture; undefined where the browser cannot decode it. */
export async function thumbnailOf(picture: ImageBitmapSource): Promise<string | undefined> {
  try {
    const whole = await createImageBitmap(picture, { imageOrientation: 'from-image' })
    const shrink = side / Math.min(whole.width, whole.height)
    const canvas = new OffscreenCanvas(side, side)
    const context = canvas.getContext('2d')
    if (!context) return undefined
    context.imageSmoothingQuality = 'high'
    const [width, height] = [whole.width * shrink, whole.height * shrink]
    context.drawImage(whole, (side - width) / 2, (side - height) / 2, width, height)
    whole.close()
    return URL.createObjectURL(await canvas.convertToBlob({ type: 'image/webp', quality: 0.8 }))
  } catch {
    return undefined
  }
}
