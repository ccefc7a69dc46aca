// The package as users install it: `npm run test:package`. Packs Limpid, installs the tarball in a project for Node and in one for
// browsers, and runs the pages of docs/use-in-a-browser.md in Chromium, from Vite's development server and as a bundle. It needs the
// registry.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium } from 'playwright-core'
import sharp from 'sharp'
import { packageFolder } from '../src/data/packageFiles.ts'

const root = packageFolder()
const scratch = mkdtempSync(join(tmpdir(), 'limpid-package-'))
const photo = join(scratch, 'photo.png')

/** The part of Vite that the test uses. */
interface Vite {
  createServer(options: object): Promise<Server & { listen(): Promise<unknown> }>
  build(options: object): Promise<unknown>
  preview(options: object): Promise<Server>
}

interface Server {
  readonly resolvedUrls: { readonly local: readonly string[] } | null
  close(): Promise<void>
}

function run(cwd: string, command: string, ...args: readonly string[]): string {
  console.log(`${command} ${args.join(' ')}`)
  // Without libraries for CUDA, as the guides say.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' }
  return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

/** A project that has installed packages. */
function project(name: string, ...packages: readonly string[]): string {
  const folder = join(scratch, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  run(folder, 'npm', 'install', '--no-audit', '--no-fund', ...packages)
  return folder
}

/** Blocks of code in a page of the docs, by the name of the file above them. */
function filesOf(page: string): ReadonlyMap<string, string> {
  const blocks = readFileSync(join(root, 'docs', page), 'utf8').matchAll(
    /`([\w.]+)`:\n\n```\w+\n(.*?)^```/gms,
  )
  return new Map([...blocks].map(([, name = '', text = '']) => [name, text]))
}

/** Restores the photo in Node: by the command and by the library. */
function testNode(tarball: string): void {
  const folder = project('node', tarball)
  const output = run(folder, 'npx', 'limpid', 'restore', photo, '-o', 'clean.png')
  assert.equal(output.trim(), 'clean.png')
  const program = `import { restore } from 'limpid'; await (await restore('${photo}')).toFile('library.png')`
  run(folder, process.execPath, '--input-type=module', '-e', program)
  assert.deepEqual(readFileSync(join(folder, 'library.png')), readFileSync(join(folder, 'clean.png')))
}

/** Restores the photo in the pages of the guide, without the packages for Node. */
async function testBrowser(tarball: string): Promise<void> {
  const packages = ['onnxruntime-web', 'vite', '@vitejs/plugin-react', 'react', 'react-dom']
  const folder = project('browser', tarball, ...packages)
  for (const name of ['sharp', 'libheif-js', 'onnxruntime-node'])
    rmSync(join(folder, 'node_modules', name), { recursive: true })
  for (const [name, text] of filesOf('use-in-a-browser.md')) writeFileSync(join(folder, name), text)
  const react = `
    import { createElement } from 'react'
    import { createRoot } from 'react-dom/client'
    import { PhotoRestorer } from './PhotoRestorer.jsx'
    createRoot(document.querySelector('div')).render(createElement(PhotoRestorer))`
  writeFileSync(join(folder, 'react.html'), `<div></div><script type="module">${react}</script>`)
  mkdirSync(join(folder, 'public'))
  cpSync(
    join(folder, 'node_modules/limpid/weights/light-photo.safetensors'),
    join(folder, 'public/light-photo.safetensors'),
  )

  const vite: Vite = await import(pathToFileURL(join(folder, 'node_modules/vite/dist/node/index.js')).href)
  const rollupOptions = { input: ['index.html', 'react.html'].map((name) => join(folder, name)) }
  const options = { root: folder, configFile: join(folder, 'vite.config.js'), logLevel: 'warn' }
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  })
  try {
    const development = await vite.createServer(options)
    await development.listen()
    await testPages(browser, development)
    await vite.build({ ...options, build: { rollupOptions } })
    await testPages(browser, await vite.preview(options))
  } finally {
    await browser.close()
  }
}

async function testPages(browser: Browser, server: Server): Promise<void> {
  const [url = ''] = server.resolvedUrls?.local ?? []
  for (const name of ['index.html', 'react.html']) {
    const tab = await browser.newPage()
    tab.on('console', (message) => console.log(`${name}: ${message.text()}`))
    tab.on('pageerror', (error) => console.log(`${name}: ${error.message}`))
    await tab.goto(new URL(name, url).href)
    await tab.setInputFiles('input', photo)
    const isShown = `document.querySelector('img')?.naturalWidth === 64`
    await tab.waitForFunction(isShown, undefined, { timeout: 180_000 })
    console.log(`${url}${name} restores a photo`)
    await tab.close()
  }
  await server.close()
}

try {
  const part = { left: 160, top: 200, width: 64, height: 48 }
  await sharp(join(root, 'examples', 'noisy.jpg'))
    .extract(part)
    .png()
    .toFile(photo)
  const tarball = join(
    scratch,
    run(root, 'npm', 'pack', '--silent', '--pack-destination', scratch).trim().split('\n').at(-1) ?? '',
  )
  testNode(tarball)
  await testBrowser(tarball)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exit()
