// Declarations of limpid app, limpid serve, limpid worker and limpid key. Values of serve and worker are validated with those of the
// environment and of a file.

import { examples, type Program, parsed, queueHelp, storeHelp } from './options.ts'
import { whole } from './parsers.ts'

export function declareApp(program: Program) {
  return program
    .command('app')
    .description('restore photos in a browser: drop them in; they stay on this machine')
    .addOption(parsed('--port <n>', 'port on this machine (default: 4747, or a free one)', whole(1, 65_535)))
    .option('--no-open', 'print the address, and open no browser')
    .addHelpText('after', examples('limpid app', 'limpid app --port 5000 --no-open'))
}

export type AppOptions = ReturnType<ReturnType<typeof declareApp>['optsWithGlobals']>

const deviceHelp = 'auto, cpu, webgpu or cuda[:N] (default: auto)'
const dtypeHelp = 'float32, or auto as with limpid restore (default: float32)'
const leaseHelp = 'time after which the job of a dead process is taken over (default: 30s; 60s with --queue)'

export function declareServe(program: Program) {
  return program
    .command('serve')
    .description('restore photos over HTTP, with a queue that outlives the process')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <n>', 'port, 0 for a free one (default: 8080)')
    .option('--metrics-port <n>', 'port of the metrics for Prometheus (default: none)')
    .option('--no-app', 'leave out the app in the browser at /')
    .option('--data <folder>', 'folder of the queue, inputs and results (default: limpid-data)')
    .option('--config <file>', 'JSON file of these settings; LIMPID_PORT and the like work too')
    .optionsGroup('Many machines:')
    .option('--queue <address>', `${queueHelp}; limpid worker runs the jobs`)
    .option('--store <place>', storeHelp)
    .optionsGroup('Access:')
    .option('--keys <file>', 'file of API keys, as limpid key writes it')
    .option('--open', 'listen beyond this machine without keys')
    .option('--origins <list>', 'comma-separated origins of pages that may call')
    .option(
      '--sources <list>',
      'comma-separated hosts that pictures are taken from by address, such as *.example.org',
    )
    .option('--sources-internal', 'these hosts may be in a private network')
    .option(
      '--webhooks <list>',
      'comma-separated hosts that are told how jobs ended; LIMPID_WEBHOOK_SECRET signs',
    )
    .option('--webhooks-internal', 'these hosts may be in a private network')
    .optionsGroup('Limits:')
    .option('--jobs <n>', 'pictures computed at once, sharing cores and memory (default: 1)')
    .option('--networks <n>', 'networks kept open for each of them (default: 2)')
    .option('--device <name>', deviceHelp)
    .option('--dtype <name>', dtypeHelp)
    .option('--queue-limit <n>', 'most unfinished jobs (default: 100)')
    .option('--queue-per-key <n>', 'most unfinished jobs of one key (default: 50)')
    .option('--max-bytes <size>', 'largest upload (default: 64MB)')
    .option('--pixel-limit <megapixels>', 'largest picture (default: 50)')
    .option('--output-limit <megapixels>', 'largest result (default: 200)')
    .option('--timeout <time>', 'longest time for a job (default: 10m)')
    .option('--lease <time>', leaseHelp)
    .option('--wait <time>', 'longest time that POST /v1/restore waits (default: 60s)')
    .option('--drain <time>', 'time for jobs under way when the server is stopped (default: 30s)')
    .option('--keep <time>', 'time that results are kept (default: 24h)')
    .option('--quota <size>', 'size of all results, above which the oldest are deleted (default: 10GB)')
    .addHelpText(
      'after',
      `
Needs packages that are not installed with limpid:
  npm i fastify @fastify/helmet @fastify/multipart @fastify/swagger fastify-type-provider-zod \\
    ipaddr.js libsql prom-client zod
Many machines need bullmq with ioredis or pg, too, and @aws-sdk/client-s3 for s3://.
${examples('limpid serve', 'limpid serve --host 0.0.0.0 --keys keys.json --data /var/lib/limpid')}`,
    )
}

export type ServeOptions = ReturnType<ReturnType<typeof declareServe>['optsWithGlobals']>

export function declareWorker(program: Program) {
  return program
    .command('worker')
    .description('run the jobs of limpid serve on another machine')
    .option('--queue <address>', queueHelp)
    .option('--store <place>', storeHelp)
    .option('--config <file>', 'JSON file of these settings; LIMPID_QUEUE and the like work too')
    .option('--metrics-port <n>', 'port of /metrics, /healthz and /readyz (default: none)')
    .option('--host <address>', 'address of that port (default: 127.0.0.1)')
    .optionsGroup('Jobs:')
    .option('--models <list>', 'comma-separated models to run, auto among them (default: all)')
    .option('--device <name>', deviceHelp)
    .option('--dtype <name>', dtypeHelp)
    .option('--jobs <n>', 'pictures computed at once, sharing cores and memory (default: 1)')
    .option('--networks <n>', 'networks kept open for each of them (default: 2)')
    .option('--pixel-limit <megapixels>', 'largest picture (default: 50)')
    .option('--timeout <time>', 'longest time for a job (default: 10m)')
    .option('--lease <time>', leaseHelp.replace(/ \(.*/, ' (default: 60s)'))
    .option('--drain <time>', 'time for jobs under way when the worker is stopped (default: 30s)')
    .addHelpText(
      'after',
      `
Needs packages that are not installed with limpid: bullmq with ioredis or pg, prom-client and zod;
@aws-sdk/client-s3 for s3://.
${examples(
  'limpid worker --queue redis://queue:6379 --store /mnt/photos',
  'limpid worker --queue postgres://limpid@queue/limpid --store s3://photos --models light-photo,light-tone',
)}`,
    )
}

export type WorkerOptions = ReturnType<ReturnType<typeof declareWorker>['optsWithGlobals']>

export function declareKey(program: Program) {
  return program
    .command('key')
    .description('make an API key for limpid serve; it is printed once, and its hash is stored')
    .argument('<name>', 'whom the key is for; jobs and results belong to it')
    .requiredOption('--keys <file>', 'file of keys; made if it is missing')
    .addHelpText(
      'after',
      examples('limpid key website --keys keys.json', 'limpid key studio --keys keys.json --json'),
    )
}

export type KeyOptions = ReturnType<ReturnType<typeof declareKey>['optsWithGlobals']>
