// limpid app: opens the app in a browser.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RestoreError } from '../../core/errors.ts'
import { cacheFolder } from '../../files/cacheFolder.ts'
import { builtAppFolder, packagedApp } from '../../server/pages/pageFiles.ts'
import type { AppOptions } from '../commands/serve.ts'
import { watchInterrupts } from '../io/interrupts.ts'
import { printLine, printResult } from '../io/shell.ts'
import { startOwnServer } from './ownServer.ts'
import { type PageServer, type PageServerOptions, servePages } from './pageServer.ts'

/** Port unless another is named, so that the browser finds its settings and models again. */
const usualPort = 4747

const withoutServer =
  '; the browser computes, as the packages that let this machine do it are not installed (limpid serve --help names them)'

/** Serves the app until a signal ends it. */
export async function appCommand(options: AppOptions): Promise<void> {
  const pages = packagedApp()
  if (!pages)
    throw new RestoreError(
      'environment',
      `app: expected the built app in ${builtAppFolder()}, got none; run npm run app:build in a checkout, or reinstall limpid`,
    )
  using interrupts = watchInterrupts()
  const api = await startOwnServer()
  const server = await start({ ...pages, api }, options.port)
  const { address } = server
  printResult(options, { address }, address)
  if (!options.quiet) printLine(`press Ctrl-C to end; photos stay on this machine${api ? '' : withoutServer}`)
  if (options.open) openBrowser(address)
  if (!interrupts.signal.aborted)
    await new Promise((resolve) => interrupts.signal.addEventListener('abort', resolve))
  await server.stop()
  await api?.stop()
}

async function start(
  folders: Omit<PageServerOptions, 'token' | 'port'>,
  port: number | undefined,
): Promise<PageServer> {
  const pages = { ...folders, token: readToken() }
  if (port !== undefined) return servePages({ ...pages, port })
  try {
    return await servePages({ ...pages, port: usualPort })
  } catch {
    return servePages({ ...pages, port: 0 })
  }
}

/** The token of this account: random, and the same every time, because browsers keep models and settings by address. */
function readToken(): string {
  const file = join(cacheFolder(), 'app-token')
  try {
    const known = readFileSync(file, 'utf8').trim()
    if (/^[\w-]{22,}$/.test(known)) return known
  } catch {
    // None yet.
  }
  const token = randomBytes(18).toString('base64url')
  try {
    mkdirSync(cacheFolder(), { recursive: true })
    writeFileSync(file, `${token}\n`, { mode: 0o600 })
  } catch {
    // Without a cache folder, the address is new every time.
  }
  return token
}

/** Opens the default browser, where there is one. */
function openBrowser(address: string): void {
  const commands: Partial<Record<NodeJS.Platform, readonly string[]>> = {
    darwin: ['open'],
    win32: ['cmd', '/c', 'start', ''],
  }
  const [command = 'xdg-open', ...args] = commands[process.platform] ?? []
  const browser = spawn(command, [...args, address], { stdio: 'ignore', detached: true })
  // The address is printed, too.
  browser.on('error', () => {})
  browser.unref()
}
