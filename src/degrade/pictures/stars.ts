// Star fields: points of one or two pixels on a dark sky, many faint and few bright, some with the glow of
// the Milky Way.

import { exp, power, sinCos } from '../../core/exactMath.ts'
import type { Random } from '../../core/random.ts'
import { type Image, in8Bits } from '../../data/image.ts'
import { between, noiseField } from '../numerics/fields.ts'
import { type Color, hsv, type Size } from './canvas.ts'
import type { Picture } from './definePicture.ts'
import { addSpot, darkness, exposed, times } from './light.ts'

/** Draws the color of a star: pale orange to pale blue. */
function starColor(strength: number, random: Random): Color {
  const isWarm = random.uniform() < 0.5
  const saturation = strength * random.uniform() * random.uniform()
  return hsv(isWarm ? between(random, 0.04, 0.12) : between(random, 0.58, 0.64), saturation, 1)
}

/** Fills in the sky: darker to one side, sometimes with a band of glow and dark clouds. */
function addSky(image: Image, random: Random): void {
  const { width, height, data } = image
  const pixels = width * height
  const side = Math.max(width, height)
  const sky = times(0.025 * random.uniform() ** 3, hsv(random.uniform(), between(random, 0, 0.6), 1))
  const [sin, cos] = sinCos(2 * Math.PI * random.uniform())
  const hasBand = random.uniform() < 0.45
  const glow = times(
    hasBand ? between(random, 0.005, 0.06) : 0,
    hsv(random.uniform(), between(random, 0.1, 0.5), 1),
  )
  const breadth = side * between(random, 0.12, 0.5)
  const middle = side * between(random, -0.3, 0.3)
  const clouds = hasBand ? noiseField(width, height, side / 3, 5, random.fork(0)).values : undefined
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const along = (x - width / 2) * cos + (y - height / 2) * sin
      const dimming = 1 + (0.6 * along) / side
      const at = y * width + x
      const from = (along - middle) / breadth
      const band = clouds ? Math.max(1 + 0.7 * clouds[at]!, 0) * exp(-from * from) : 0
      for (let c = 0; c < 3; c++) data[c * pixels + at] = sky[c]! * dimming + glow[c]! * band
    }
  }
}

/** Adds the diffraction spikes of a bright star. */
function addSpikes(image: Image, x: number, y: number, peak: Color, length: number): void {
  for (let i = -length; i <= length; i += 0.5) {
    const share = 0.05 * (1 - Math.abs(i) / length) ** 2
    const spot = { peak: times(share, peak), radius: 0.6, reach: 2 }
    addSpot(image, [x + i, y], spot)
    addSpot(image, [x, y + i], spot)
  }
}

function draw(size: Size, random: Random): Image {
  const { width, height } = size
  const image = darkness(size)
  addSky(image, random.fork(1))
  const radius = between(random, 0.5, 1.1)
  const strength = between(random, 0.3, 1.2)
  const hasSpikes = random.uniform() < 0.2
  const density = 0.0008 * power(30, random.uniform())
  const count = Math.round(density * width * height) + 1
  const faintest = between(random, 0.01, 0.1)
  for (let i = 0; i < count; i++) {
    // Counts fall with the power -1.25 of the brightness, about as in the sky.
    const light = Math.min(faintest * power(1 - random.uniform(), -0.8), 60)
    const peak = times(light, starColor(strength, random))
    const x = width * random.uniform()
    const y = height * random.uniform()
    addSpot(image, [x, y], { peak, radius, reach: radius * (4 + 2 * Math.sqrt(light)) })
    if (hasSpikes && light > 3) addSpikes(image, x, y, peak, Math.min(4 + light, 24))
  }
  return in8Bits(exposed(image))
}

export const stars: Picture = {
  summary: 'stars on a dark sky, some with the glow of the Milky Way',
  draw,
}
