// Photographs the app for the guides: a restored photo, and ten seconds of comparing it.
// npm run app:pictures

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import sharp from 'sharp'
import { build } from 'vite'
import { servePages } from '../src/cli/server/pageServer.ts'
import { packageFolder } from '../src/data/packageFiles.ts'

const root = packageFolder()
const size = { width: 1120, height: 700 }
const framesPerSecond = 6
const seconds = 10

/** Moves the slider, zooms in, and moves it again. */
async function frames(page: Page): Promise<readonly Buffer[]> {
  const shots: Buffer[] = []
  const viewer = (await page.locator('.viewer').boundingBox()) ?? { x: 0, y: 0, width: 1, height: 1 }
  const middle = { x: viewer.x + viewer.width / 2, y: viewer.y + viewer.height / 2 }
  const count = framesPerSecond * seconds
  await page.mouse.move(middle.x, middle.y)
  await page.mouse.down()
  for (let i = 0; i < count; i++) {
    const swing = Math.sin((2 * Math.PI * i) / (count / 2))
    await page.mouse.move(middle.x + 0.36 * viewer.width * swing, middle.y)
    if (i === count / 2) {
      await page.mouse.up()
      await page.mouse.move(middle.x + 120, middle.y - 60)
      for (let step = 0; step < 6; step++) await page.mouse.wheel(0, -120)
      await page.mouse.move(middle.x, middle.y)
      await page.mouse.down()
    }
    shots.push(await page.screenshot())
  }
  await page.mouse.up()
  return shots
}

const folder = mkdtempSync(join(tmpdir(), 'limpid-app-pictures-'))
await build({
  ...{ configFile: join(root, 'app', 'vite.config.ts'), logLevel: 'error' },
  build: { outDir: folder },
})
const server = await servePages({
  ...{ folder, besides: { weights: join(root, 'weights') }, token: 'pictures', port: 0 },
})
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
})
const page = await browser.newPage({ viewport: size, locale: 'en' })
page.setDefaultTimeout(600_000)
await page.goto(server.address)
await page.getByRole('button', { name: 'Noise' }).click()
await page.locator('.row.done').waitFor()
await page.locator('.badge.right').waitFor()
await page.locator('.notice').waitFor({ state: 'detached' })
// How long it took here says nothing to others.
await page.locator('.facts').evaluate((facts) => facts.remove())
const photos = join(root, 'docs', 'photos')
await sharp(await page.screenshot())
  .webp({ quality: 82 })
  .toFile(join(photos, 'app.webp'))
const shots = await frames(page)
const small = await Promise.all(shots.map((shot) => sharp(shot).resize({ width: 800 }).png().toBuffer()))
await sharp(small, { join: { animated: true } })
  .webp({ quality: 60, delay: small.map(() => Math.round(1000 / framesPerSecond)), loop: 0 })
  .toFile(join(photos, 'app-slider.webp'))
await browser.close()
await server.stop()
rmSync(folder, { recursive: true, force: true })
