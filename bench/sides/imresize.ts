// Our side of imresize: seconds to resize a 12-megapixel RGB image to a quarter of its width and height.
// usage: imresize THREADS OUTPUT

import { writeFileSync } from 'node:fs'
import { imresize } from '../../src/degrade/resize.ts'
import { medianSeconds, report, wave } from '../measure.ts'

const [, , , output] = process.argv
const channels = 3
const height = 3000
const width = 4000
const image = { channels, height, width, data: wave(channels * height * width, 0.001) }
const value = await medianSeconds(() => imresize(image, 1 / 4), { warmups: 2, runs: 5 })
if (output !== undefined) writeFileSync(output, imresize(image, 1 / 4).data)
report({ value })
