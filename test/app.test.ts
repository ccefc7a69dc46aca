// The app in a real browser: Debian's Chromium, or the one in CHROMIUM.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { AxeBuilder } from '@axe-core/playwright'
import { unzipSync } from 'fflate'
import { type Browser, type BrowserContext, chromium, type Page, type Worker } from 'playwright-core'
import sharp from 'sharp'
import { build } from 'vite'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type OwnServer, startOwnServer } from '../src/cli/server/ownServer.ts'
import { type PageServer, servePages } from '../src/cli/server/pageServer.ts'
import { decodeBytes } from '../src/data/decode.ts'
import { packageFolder } from '../src/data/packageFiles.ts'
import { createRestorer } from '../src/index.ts'

const root = packageFolder()
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

interface InputFile {
  readonly name: string
  readonly mimeType: string
  readonly buffer: Buffer
}

async function photoPart(name: string, width: number, height: number): Promise<InputFile> {
  const buffer = await sharp(join(root, 'examples', 'noisy.jpg'))
    .extract({ left: 160, top: 200, width, height })
    .png()
    .toBuffer()
  return { name, mimeType: 'image/png', buffer }
}

const broken: InputFile = { name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('no image') }

/** Time for a photo on a busy machine. */
const slow = { timeout: 90_000 }

describe.skipIf(!existsSync(executablePath))('the app', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'limpid-app-'))
  const pages = { folder, besides: { weights: join(root, 'weights') }, token: 'test' }
  let server: PageServer
  /** The same pages beside a server that restores. */
  let native: PageServer | undefined
  let browser: Browser
  let context: BrowserContext
  let page: Page
  /** Addresses that the pages requested, and those that are theirs. */
  const requested: string[] = []
  const own = ['blob:']
  /** What went wrong in a page without the page noticing. */
  const failures: string[] = []

  beforeAll(async () => {
    await build({
      configFile: join(root, 'app', 'vite.config.ts'),
      build: { outDir: folder },
      logLevel: 'error',
    })
    server = await servePages({ ...pages, port: 0 })
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
    context = await browser.newContext({ locale: 'en' })
    // The dialogs of the File System Access API cannot be answered by a test; inputs and downloads can.
    await context.addInitScript(() => {
      for (const name of ['showOpenFilePicker', 'showSaveFilePicker', 'showDirectoryPicker'])
        Reflect.deleteProperty(globalThis, name)
    })
    // Most tests are of one model.
    const byHand = `localStorage['limpid-settings'] ??= '{"mode":"hand"}'`
    await context.addInitScript({ content: byHand })
    context.on('request', (request) => requested.push(request.url()))
    page = await opened()
  }, 240_000)
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    await native?.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  afterEach(() => {
    expect(failures.splice(0)).toEqual([])
    const foreign = requested.filter((url) => !own.some((start) => url.startsWith(start)))
    expect(foreign).toEqual([])
  })

  async function opened(address = server.address): Promise<Page> {
    const tab = await context.newPage()
    own.push(address)
    tab.on('pageerror', ({ message }) => failures.push(message))
    tab.on(
      'console',
      (message) => message.type() === 'error' && failures.push(`${message.text()} ${message.location().url}`),
    )
    await tab.goto(address)
    await tab.getByRole('button', { name: 'Open photos' }).waitFor()
    return tab
  }

  /** Chooses files by the first button of this name. */
  async function choose(name: string, ...files: readonly InputFile[]): Promise<void> {
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name }).first().click(),
    ])
    await chooser.setFiles([...files])
  }

  /** Drops files of the same bytes; returns after how many milliseconds the list shows. */
  function drop(names: readonly string[], bytes: Uint8Array): Promise<number> {
    const data = Buffer.from(bytes).toString('base64')
    return page.evaluate(`(async () => {
      const bytes = Uint8Array.from(atob('${data}'), (one) => one.charCodeAt(0))
      const dropped = new DataTransfer()
      for (const name of ${JSON.stringify(names)}) {
        const type = /txt$/.test(name) ? 'text/plain' : 'image/' + name.split('.').pop()
        dropped.items.add(new File([bytes], name, { type }))
      }
      const started = performance.now()
      dispatchEvent(new DragEvent('drop', { dataTransfer: dropped, bubbles: true, cancelable: true }))
      while (!document.querySelector('.row')) await new Promise(requestAnimationFrame)
      return performance.now() - started
    })()`)
  }

  const states = () => page.locator('.row-state').allTextContents()

  async function saved(name: string): Promise<{ readonly name: string; readonly bytes: Buffer }> {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name, exact: true }).click(),
    ])
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) }
  }

  /** Violations of accessibility, as lines. */
  async function violations(): Promise<readonly string[]> {
    const { violations: found } = await new AxeBuilder({ page }).analyze()
    return found.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
  }

  const pixelsOf = (bytes: Uint8Array): Promise<Buffer> => sharp(bytes).removeAlpha().raw().toBuffer()

  /** Expects pixels that differ by one level at most. */
  function expectNear(got: ArrayLike<number>, expected: ArrayLike<number>, level = 1): void {
    expect(got.length).toBe(expected.length)
    const largest = Array.from(got).reduce(
      (most, value, i) => Math.max(most, Math.abs(value - expected[i]!)),
      0,
    )
    expect(largest).toBeLessThanOrEqual(level)
  }

  async function restoredByNode({ buffer }: InputFile): Promise<Buffer> {
    await using restorer = await createRestorer({ model: 'light-photo', device: 'cpu' })
    return pixelsOf(await (await restorer.run(buffer)).toBuffer())
  }

  test('opens isolated, accessible, in light and dark, and fits a phone', async () => {
    expect(await page.evaluate('crossOriginIsolated')).toBe(true)
    expect(await violations()).toEqual([])
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await violations()).toEqual([])
    await page.setViewportSize({ width: 360, height: 740 })
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
    await page.emulateMedia({ colorScheme: 'light' })
    await page.setViewportSize({ width: 1280, height: 800 })
  })

  test('restores a photo like Node, and saves it under its name', async () => {
    const photo = await photoPart('dog.png', 64, 48)
    await choose('Open photos', photo)
    await expect.poll(states, slow).toEqual(['Done'])
    const expected = await restoredByNode(photo)
    const { name, bytes } = await saved('Save')
    expect(name).toBe('dog-restored.png')
    expectNear(await pixelsOf(bytes), expected)
  })

  test('blends at once: without strength, the original is saved', async () => {
    await page.getByRole('slider', { name: 'Strength' }).fill('0')
    const { bytes } = await saved('Save')
    expect(await pixelsOf(bytes)).toEqual(await pixelsOf((await photoPart('', 64, 48)).buffer))
    await page.getByRole('slider', { name: 'Strength' }).fill('100')
  })

  test('keeps 16 bits and metadata, and leaves the place out if told to', async () => {
    const { buffer } = await photoPart('', 24, 20)
    const exif = { IFD0: { Copyright: 'Limpid' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '48/1 8/1 0/1' } }
    const deep = await sharp(buffer).toColourspace('rgb16').withExif(exif).png().toBuffer()
    await choose('Add photos', { name: 'deep.png', mimeType: 'image/png', buffer: deep })
    await expect.poll(states, slow).toEqual(['Done', 'Done'])
    await page.getByRole('button', { name: /^deep.png/ }).click()
    const kept = await saved('Save')
    const { depth, exif: written } = await sharp(kept.bytes).metadata()
    expect([kept.name, depth]).toEqual(['deep-restored.png', 'ushort'])
    expect(written?.includes('Limpid')).toBe(true)
    const degrees = Buffer.from([48, 0, 0, 0, 1, 0, 0, 0])
    expect(written?.includes(degrees)).toBe(true)
    await page.getByLabel('Metadata').selectOption('no-place')
    const without = (await sharp((await saved('Save')).bytes).metadata()).exif
    expect([without?.includes('Limpid'), without?.includes(degrees)]).toEqual([true, false])
    await page.getByLabel('Metadata').selectOption('keep')
    await page.getByRole('button', { name: 'Remove: deep.png' }).click()
  })

  test('finds what is wrong, leaves what is switched off, and keeps the bytes of a good photo', async () => {
    await page.getByRole('radio', { name: 'Automatic' }).check()
    const noisy = await photoPart('noisy.png', 96, 72)
    const kitten = sharp(join(root, 'docs', 'photos', 'kitten.webp'))
      .resize(96)
      .png()
    await choose('Add photos', noisy, { ...noisy, name: 'good.png', buffer: await kitten.toBuffer() })
    await page.getByRole('button', { name: /^noisy.png/ }).click()
    const chip = page.getByRole('button', { name: /^Noise · (?:slight|medium|severe)$/ })
    await chip.waitFor(slow)
    expect(await violations()).toEqual([])
    expect(await chip.getAttribute('aria-pressed')).toBe('true')
    await chip.click()
    await expect.poll(states, slow).toEqual(['Settings changed', 'Left as it is', 'Nothing to repair'])
    expect(await chip.getAttribute('aria-pressed')).toBe('false')
    expect((await saved('Save')).bytes).toEqual(noisy.buffer)
    await page.getByRole('button', { name: /^good.png/ }).click()
    expect((await saved('Save')).bytes).toEqual(await kitten.toBuffer())
    await page.getByRole('button', { name: 'Remove: noisy.png' }).click()
    await page.getByRole('button', { name: 'Remove: good.png' }).click()
    await page.getByRole('radio', { name: 'By hand' }).check()
  })

  test('reads and shows HEIC and JPEG XL, which browsers do not read, with the samples of Node', async () => {
    await page.getByRole('slider', { name: 'Strength' }).fill('0')
    for (const path of ['heic/turned.heic', 'heic/10.heic', 'heic/alpha.heic', 'lossless.jxl']) {
      const [name, buffer] = [basename(path), readFileSync(join(root, 'test', 'golden', path))]
      await choose('Add photos', { name, mimeType: '', buffer })
      await page.getByRole('button', { name: new RegExp(`^${name}`) }).click()
      await expect.poll(states, slow).toEqual(['Done', 'Done'])
      await expect.poll(() => page.locator('.badge').allTextContents()).toEqual(['Original', 'Restored'])
      const { bytes } = await saved('Save')
      // Node reads no JPEG XL; the file was made of this photo.
      const isJxl = name.endsWith('.jxl')
      const expected = await decodeBytes(isJxl ? (await photoPart('', 32, 24)).buffer : buffer)
      const got = await decodeBytes(bytes)
      const { BYTES_PER_ELEMENT: width } = expected.pixels.data
      expect([got.depth, got.metadata?.exif]).toEqual([8 * width, expected.metadata?.exif])
      expectNear(got.pixels.data, expected.pixels.data, width === 2 ? 257 : 1)
      await page.getByRole('button', { name: `Remove: ${name}` }).click()
    }
    await page.getByRole('slider', { name: 'Strength' }).fill('100')
  })

  test('shows the photo in every way, and its views are accessible', async () => {
    expect(await violations()).toEqual([])
    for (const name of ['Side by side', 'Difference', 'Slider']) {
      await page.getByRole('button', { name }).click()
      expect(await page.getByRole('button', { name }).getAttribute('aria-pressed')).toBe('true')
    }
    const slider = page.getByRole('slider', { name: 'Slider' })
    await slider.focus()
    await page.keyboard.press('ArrowRight')
    expect(await slider.getAttribute('aria-valuenow')).toBe('52')
    const zoom = page.getByLabel('Zoom in percent')
    await page.locator('.viewer').focus()
    await page.keyboard.press('+')
    expect(await zoom.inputValue()).toBe('125')
    await page.keyboard.press('0')
    expect(await zoom.inputValue()).toBe('100')
    await page.keyboard.down('h')
    await expect.poll(() => page.locator('.badge').allTextContents()).toEqual(['Original'])
    await page.keyboard.up('h')
    await expect.poll(() => page.locator('.badge').allTextContents()).toEqual(['Original', 'Restored'])
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await violations()).toEqual([])
    await page.setViewportSize({ width: 360, height: 740 })
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
    await page.emulateMedia({ colorScheme: 'light' })
    await page.setViewportSize({ width: 1280, height: 800 })
  })

  test('cancels, tries again, removes, and says what is wrong with a file', async () => {
    const big = await photoPart('big.png', 400, 300)
    await choose('Add photos', big, broken)
    await page.getByRole('button', { name: 'Cancel: big.png' }).click()
    await expect
      .poll(states, slow)
      .toEqual(['Done', 'Canceled', expect.stringContaining('broken.png: expected an image')])
    await page.getByRole('button', { name: 'Remove: broken.png' }).click()
    await page.getByRole('button', { name: 'Remove: big.png' }).click()
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect.poll(states, slow).toEqual(['Done', 'Canceled'])
    await page.getByRole('button', { name: 'Remove: big.png' }).click()
    const small = await photoPart('small.png', 40, 32)
    await choose('Add photos', small)
    await page.getByRole('button', { name: 'Cancel: small.png' }).click()
    await page.getByRole('button', { name: 'Try again: small.png' }).click()
    await expect.poll(states, slow).toEqual(['Done', 'Done'])
  })

  test('restores a list of 20, saves a zip with a name for each, and leaves out what is no photo', async () => {
    const { buffer } = await photoPart('', 24, 16)
    const names = [...Array.from({ length: 17 }, (_, i) => `${i + 1}.png`), 'dog.png', 'DOG.png', 'a.b.webp']
    await drop([...names, 'notes.txt'], buffer)
    await page.getByText('1 file is not a photo and was left out').waitFor()
    await page.getByText('22 of 22 done').waitFor(slow)
    const { name, bytes } = await saved('Save all as zip')
    expect(name).toBe('restored.zip')
    const files = unzipSync(bytes)
    expect(Object.keys(files)).toEqual([
      ...[
        'dog-restored.png',
        'small-restored.png',
        ...names.slice(0, 17).map((one) => one.replace('.', '-restored.')),
      ],
      ...['dog-restored (2).png', 'DOG-restored (3).png', 'a.b-restored.webp'],
    ])
    expect(await sharp(files['small-restored.png']).metadata()).toMatchObject({ width: 40, height: 32 })
    expect(await sharp(files['a.b-restored.webp']).metadata()).toMatchObject({ format: 'webp', width: 24 })
  })

  test('settings are accessible, and switch language and theme', async () => {
    await page.getByRole('button', { name: 'Settings' }).click()
    expect(await violations()).toEqual([])
    await page.getByText(/^light-photo\.safetensors.*MB, Apache License 2\.0$/).waitFor()
    await page.getByRole('radio', { name: 'Deutsch' }).check()
    await page.getByRole('dialog').getByLabel('Farben').selectOption('dark')
    const html = page.locator('html')
    expect([await html.getAttribute('lang'), await html.getAttribute('data-theme')]).toEqual(['de', 'dark'])
    await page.getByRole('radio', { name: 'English' }).check()
    await page.getByRole('dialog').getByLabel('Theme').selectOption('system')
    await page.keyboard.press('Escape')
    expect(await page.getByRole('dialog').count()).toBe(0)
  })

  describe('with a server beside its pages', () => {
    let own: OwnServer | undefined
    let home: Page

    beforeAll(async () => {
      own = await startOwnServer()
      native = await servePages({ ...pages, port: 0, api: own })
      home = page
      page = await opened(native.address)
    })
    afterAll(async () => {
      await page.close()
      page = home
      await own?.stop()
    })

    test('computes on this computer unless told otherwise, exactly as Node', async () => {
      expect(await page.getByRole('radio', { name: 'This computer' }).isChecked()).toBe(true)
      expect(await violations()).toEqual([])
      const photo = await photoPart('dog.png', 64, 48)
      await choose('Open photos', photo)
      await page.getByRole('radio', { name: 'By hand' }).check()
      await expect.poll(states, slow).toEqual(['Done'])
      const tasks = await page.getByLabel('Task').locator('option').allTextContents()
      expect(tasks).toContain('Enlarge')
      expect(await pixelsOf((await saved('Save')).bytes)).toEqual(await restoredByNode(photo))
      await page.getByRole('slider', { name: 'Strength' }).fill('0')
      expect(await pixelsOf((await saved('Save')).bytes)).toEqual(await pixelsOf(photo.buffer))
      await page.getByRole('slider', { name: 'Strength' }).fill('100')
      await page.setViewportSize({ width: 360, height: 740 })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
      await page.setViewportSize({ width: 1280, height: 800 })
    })

    test('cancels there, says what is wrong, and lets no other page in', async () => {
      const { buffer: part } = await photoPart('', 400, 300)
      const big = { ...broken, name: 'big.png', buffer: await sharp(part).resize(1600).png().toBuffer() }
      await choose('Add photos', big, broken)
      await expect.poll(states, slow).toEqual(['Done', expect.stringMatching(/^Restoring/), 'Waiting'])
      await page.getByRole('button', { name: 'Cancel: big.png' }).click()
      const failed = expect.stringContaining('picture: expected a readable still image')
      await expect.poll(states, slow).toEqual(['Done', 'Canceled', failed])
      failures.splice(0)
      expect((await fetch(`${own?.address}/v1/models`)).status).toBe(401)
      await page.getByRole('button', { name: 'Remove: big.png' }).click()
      await page.getByRole('button', { name: 'Remove: broken.png' }).click()
    })

    test('computes in the browser if told to, and says that the server is gone', async () => {
      await page.getByRole('radio', { name: 'This browser' }).check()
      await choose('Add photos', await photoPart('here.png', 40, 32))
      await expect.poll(states, slow).toEqual(['Done', 'Done'])
      await page.getByRole('radio', { name: 'This computer' }).check()
      await own?.stop()
      own = undefined
      await choose('Add photos', await photoPart('gone.png', 40, 32))
      await expect.poll(states, slow).toEqual(['Done', 'Done', expect.stringContaining('cannot be reached')])
      // The browser's console tells of every request that fails.
      failures.splice(0)
    })
  })

  describe('of a host that fails', () => {
    const weights = mkdtempSync(join(tmpdir(), 'limpid-app-weights-'))
    const file = join(weights, 'light-photo.safetensors')
    const intact = readFileSync(join(root, 'weights', 'light-photo.safetensors'))
    let host: PageServer
    let home: Page

    beforeAll(async () => {
      writeFileSync(file, intact.with(9999, intact[9999]! ^ 1))
      host = await servePages({ ...pages, besides: { weights }, port: 0 })
      home = page
      page = await opened(host.address)
      await page.getByText('Ready to work offline.').waitFor()
    })
    afterAll(async () => {
      await page.close()
      page = home
      rmSync(weights, { recursive: true })
    })

    test('weights with a wrong byte are refused, and fetched again', async () => {
      await choose('Open photos', await photoPart('dog.png', 40, 32))
      const refusal = expect.stringMatching(/^light-photo\.safetensors: expected a file of sha256/)
      await expect.poll(states, slow).toEqual([refusal])
      writeFileSync(file, intact)
      await page.getByRole('button', { name: 'Try again: dog.png' }).click()
      await expect.poll(states, slow).toEqual(['Done'])
    })

    test('without room for weights, a photo is restored, and says that they were not kept', async () => {
      const storage = await context.newCDPSession(page)
      const { origin } = new URL(host.address)
      await page.evaluate(`caches.delete('limpid-weights')`)
      await storage.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1 })
      await page.reload()
      await choose('Open photos', await photoPart('dog.png', 40, 32))
      await page.getByText('light-photo.safetensors was not kept').waitFor()
      expect(await states()).toEqual(['Done'])
      await storage.detach()
    })

    test('a worker that is killed is started again, and the photo is the same', async () => {
      await page.reload()
      let killed = 0
      const kill = async (worker: Worker) => {
        if ((await worker.evaluate('self.name')) !== 'limpid-compute' || killed++ > 0) return
        await worker.evaluate(`void setTimeout(() => { throw new Error('killed') })`)
      }
      // A worker may end, or the page close, before it answers: the count below says what was killed.
      const killFirst = (worker: Worker) => kill(worker).catch(() => undefined)
      page.on('worker', killFirst)
      // Large enough to take longer than the way to the worker and back.
      const photo = await photoPart('dog.png', 320, 240)
      await choose('Open photos', photo)
      await expect.poll(states, slow).toEqual(['Done'])
      await expect.poll(() => killed).toBe(2)
      page.off('worker', killFirst)
      expectNear(await pixelsOf((await saved('Save')).bytes), await restoredByNode(photo))
    })

    test('with the host gone, it opens again and restores another photo', async () => {
      await host.stop()
      await page.reload()
      const photo = await photoPart('cat.png', 48, 40)
      await choose('Open photos', photo)
      await expect.poll(states, slow).toEqual(['Done'])
      expectNear(await pixelsOf((await saved('Save')).bytes), await restoredByNode(photo))
    })
  })

  test('a host without headers gets isolation from the service worker, and photos can be shared to the app', async () => {
    const types = { js: 'text/javascript', mjs: 'text/javascript', html: 'text/html', css: 'text/css' }
    const host = createServer(({ url = '' }, response) => {
      const path = url.replace(/\?.*/, '')
      const file = join(folder, path, path.endsWith('/') ? 'index.html' : '')
      if (!existsSync(file)) return void response.writeHead(404).end()
      const type = types[file.split('.').pop() as keyof typeof types]
      if (type) response.setHeader('Content-Type', type)
      response.end(readFileSync(file))
    })
    await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
    const address = host.address()
    const url = `http://127.0.0.1:${typeof address === 'object' && address?.port}/`
    const visit = await browser.newPage()
    await visit.goto(url)
    const isIsolated = () => visit.evaluate('crossOriginIsolated').catch(() => false)
    await expect.poll(isIsolated, slow).toBe(true)
    await visit.evaluate(`(async () => {
      const form = new FormData()
      form.append('photos', new File(['x'], 'a b.png', { type: 'image/png' }))
      await fetch('share', { method: 'POST', body: form })
    })()`)
    await visit.goto(`${url}?shared`)
    expect(await visit.locator('.row-name').textContent()).toBe('a b.png')
    await visit.close()
    host.close()
  })

  test('its shell is small', () => {
    const files = ['index.html', ...readdirSync(join(folder, 'assets')).map((name) => join('assets', name))]
    const shell = files.filter((name) => /index.*\.(?:html|css|js)$/.test(name))
    const sizes = shell.map((name) => gzipSync(readFileSync(join(folder, name))).length)
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(100_000)
  })

  test('holds 2,000 names, and draws those in sight', async () => {
    await page.getByRole('button', { name: 'Remove all' }).click()
    const names = Array.from({ length: 2000 }, (_, i) => `photo ${i + 1}.png`)
    expect(await drop(names, Buffer.from('x'))).toBeLessThan(5000)
    await expect.poll(() => page.locator('.queue-head').textContent()).toContain('of 2000 done')
    expect(await page.locator('.row').count()).toBeLessThan(60)
    await page.locator('.rows').evaluate((list) => {
      list.scrollTop = list.scrollHeight
    })
    await page.getByText('photo 2000.png').waitFor()
    await page.getByRole('button', { name: 'Remove all' }).click()
  })
})
