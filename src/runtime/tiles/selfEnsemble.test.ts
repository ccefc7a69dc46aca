import { expect, test } from 'vitest'
import { crop, type Image } from '../../data/image.ts'
import type { ReadablePicture } from '../pictures/planeIO.ts'
import { prepareEnsemble } from './selfEnsemble.ts'

const whole: Image = {
  width: 7,
  height: 4,
  channels: 2,
  data: Float32Array.from({ length: 56 }, (_, i) => Math.sin(i)),
}
const picture: ReadablePicture = { ...whole, read: (...part) => crop(whole, ...part) }

test('tiles have the orientation of their picture, and results are oriented back', async () => {
  const inputs: string[] = []
  const run = await prepareEnsemble(async (oriented) => {
    const all = oriented.read(0, 0, oriented.height, oriented.width)
    return async (tiles) => {
      for (const tile of tiles) {
        const corner = oriented.read(oriented.height - 2, 1, 2, 3)
        expect(corner.data).toEqual(crop(all, oriented.height - 2, 1, 2, 3).data)
        inputs.push(`${tile.height} ${tile.width} ${tile.data.join()}`)
      }
      return tiles
    }
  }, picture)
  const tiles = [crop(whole, 0, 1, 4, 3), crop(whole, 0, 4, 4, 3)]
  const means = await run(tiles)
  expect(new Set(inputs).size).toBe(16)
  for (const [i, { data }] of means.entries()) {
    for (const [j, value] of data.entries()) expect(value).toBeCloseTo(tiles[i]?.data[j] as number, 6)
  }
})

test('the result is the mean over all orientations, and the tile is not modified', async () => {
  let count = 0
  const run = await prepareEnsemble(async () => {
    const added = count++
    return async (tiles) => tiles.map((tile) => ({ ...tile, data: tile.data.map((value) => value + added) }))
  }, picture)
  const before = whole.data.slice()
  const [mean] = await run([whole])
  expect(mean?.data[9]).toBeCloseTo(before[9]! + 3.5, 5)
  expect(whole.data).toEqual(before)
})
