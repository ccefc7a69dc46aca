import { expect, test } from 'vitest'
import { crop, type Image } from '../../data/image.ts'
import type { Picture } from '../pictures/planeIO.ts'
import { prepareEnsemble } from './selfEnsemble.ts'

const whole: Image = {
  ...{ width: 7, height: 4, channels: 2 },
  data: Float32Array.from({ length: 56 }, (_, i) => Math.sin(i)),
}
const picture: Picture = { ...whole, read: (...part) => crop(whole, ...part) }

test('each turn of a tile is where the turned picture has it, and all are turned back', async () => {
  const seen: string[] = []
  const run = await prepareEnsemble(async (turned) => {
    const all = turned.read(0, 0, turned.height, turned.width)
    return async (tiles) => {
      for (const tile of tiles) {
        // The parts that are read of a turned picture are parts of it.
        const corner = turned.read(turned.height - 2, 1, 2, 3)
        expect(corner.data).toEqual(crop(all, turned.height - 2, 1, 2, 3).data)
        seen.push(`${tile.height} ${tile.width} ${tile.data.join()}`)
      }
      return tiles
    }
  }, picture)
  const tiles = [crop(whole, 0, 1, 4, 3), crop(whole, 0, 4, 4, 3)]
  const means = await run(tiles)
  expect(new Set(seen).size).toBe(16)
  for (const [i, { data }] of means.entries()) {
    for (const [j, value] of data.entries()) expect(value).toBeCloseTo(tiles[i]?.data[j] as number, 6)
  }
})

test('the result is the mean over the turns, and not the tile itself changed', async () => {
  let turn = 0
  const run = await prepareEnsemble(async () => {
    const added = turn++
    return async (tiles) => tiles.map((tile) => ({ ...tile, data: tile.data.map((value) => value + added) }))
  }, picture)
  const before = whole.data.slice()
  const [mean] = await run([whole])
  expect(mean?.data[9]).toBeCloseTo((before[9] as number) + 3.5, 5)
  expect(whole.data).toEqual(before)
})
