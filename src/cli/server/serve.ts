// limpid serve and limpid key.

import { messageOf, RestoreError } from '../../core/errors.ts'
import { builtAppFolder, packagedApp } from '../../server/pages/pageFiles.ts'
import type { KeyOptions, ServeOptions } from '../commands/serve.ts'
import { watchInterrupts } from '../io/interrupts.ts'
import { printLine, printResult } from '../io/shell.ts'
import { endWithin } from './endWithin.ts'

/** Runs a server until a signal ends it. */
export async function serveCommand(options: ServeOptions): Promise<void> {
  const { readConfiguration, readKeys, ListedHosts, Sources, startServer } = await serverModules()
  const { config: file, json: _, quiet, verbose: __, app, ...rest } = options
  // Without --no-app, variables and the file decide.
  const settings = { ...rest, app: app ? undefined : false }
  const configuration = readConfiguration({ options: settings, environment: process.env, file })
  const { host, keys: keyFile, maxBytes, pixelLimit, outputLimit, queueLimit, queuePerKey } = configuration
  const keys = keyFile === undefined ? undefined : readKeys(keyFile)
  if (!keys && !configuration.open && !isLoopback(host))
    throw new RestoreError(
      'usage',
      `--host: expected keys for an address beyond this machine, got ${host} and none; pass --keys FILE, or --open to let everybody in`,
    )
  const { webhooks, webhooksInternal, webhookSecret: secret } = configuration
  if (webhooks.length > 0 && secret === undefined)
    throw new RestoreError(
      'usage',
      '--webhooks: expected a secret that signs them in LIMPID_WEBHOOK_SECRET, got none; make one with echo "whsec_$(openssl rand -base64 32)"',
    )
  const pages = configuration.app ? packagedApp() : undefined
  if (configuration.app && !pages && !quiet)
    printLine(
      `serving without the app: expected its build in ${builtAppFolder()}, got none; --no-app expects none`,
    )
  using interrupts = watchInterrupts(() => printLine('stopping: waiting for jobs under way'))
  const { port, metricsPort, origins, sources, sourcesInternal, networks: capacity } = configuration
  const { data, queue, store, lease, device, dtype } = configuration
  const server = await startServer({
    ...{ host, port, metricsPort, origins, keys, device },
    backends: { data, queue, store, lease },
    // Where machines share a queue, workers run the jobs.
    jobs: queue === undefined ? { slots: configuration.jobs, capacity, dtype } : undefined,
    sources: sources.length > 0 ? new Sources({ hosts: sources, areInternal: sourcesInternal }) : undefined,
    webhooks:
      webhooks.length > 0 && secret !== undefined
        ? { hosts: new ListedHosts({ hosts: webhooks, areInternal: webhooksInternal }), secret }
        : undefined,
    app: pages,
    limits: {
      bytes: maxBytes,
      pixelsIn: pixelLimit,
      pixelsOut: outputLimit,
      queue: queueLimit,
      ownerQueue: queuePerKey,
    },
    timeoutMs: configuration.timeout,
    waitMs: configuration.wait,
    keepMs: configuration.keep,
    quotaBytes: configuration.quota,
    log: quiet ? undefined : process.stderr,
  })
  const { address, metricsAddress, warnings } = server
  for (const warning of warnings) printLine(`warning: ${warning}`)
  printResult(options, { address, metrics: metricsAddress }, address)
  if (!interrupts.signal.aborted)
    await new Promise((resolve) => interrupts.signal.addEventListener('abort', resolve))
  await endWithin(configuration.drain, (drainMs) => server.stop(drainMs))
}

/** Makes an API key. */
export async function keyCommand(name: string, options: KeyOptions): Promise<void> {
  const { addKey } = await serverModules()
  const key = addKey(options.keys, name)
  printResult(options, { name, key }, key)
}

async function serverModules() {
  try {
    const [configuration, keys, hosts, sources, server] = await Promise.all([
      import('../../server/configuration.ts'),
      import('../../server/access/keys.ts'),
      import('../../server/access/listedHosts.ts'),
      import('../../server/access/sources.ts'),
      import('../../server/server.ts'),
    ])
    return { ...configuration, ...keys, ...hosts, ...sources, ...server }
  } catch (error) {
    const [reason] = messageOf(error).split('\n')
    throw new RestoreError(
      'environment',
      `serve: expected packages of the server, got none (${reason}); limpid serve --help has the command that installs them`,
      { cause: error },
    )
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}
