// Imports point down only: which folder may import which, and what browsers and inference must never reach.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Folders that each folder may import besides itself; a file directly in src/ counts under its own name. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  files: ['core'],
  nn: ['core'],
  models: ['core', 'nn', 'diffusion', 'checkpoints'],
  diffusion: ['core'],
  onnx: ['core'],
  torch: ['core', 'nn', 'onnx', 'native'],
  native: ['core', 'files'],
  checkpoints: ['core', 'nn', 'files'],
  registry: ['core', 'nn', 'models', 'checkpoints'],
  downloads: ['core', 'files', 'checkpoints', 'registry'],
  data: ['core'],
  degrade: ['core', 'data'],
  auto: ['core', 'models', 'data', 'degrade'],
  metrics: ['core', 'nn', 'checkpoints', 'data', 'degrade', 'files'],
  runtime: [
    'core',
    'nn',
    'onnx',
    'models',
    'registry',
    'diffusion',
    'checkpoints',
    'data',
    'files',
    'downloads',
    'auto',
  ],
  train: [
    ...[
      'core',
      'nn',
      'models',
      'registry',
      'diffusion',
      'torch',
      'checkpoints',
      'data',
      'degrade',
      'metrics',
      'files',
      'auto',
    ],
  ],
  client: ['core', 'models'],
  server: ['core', 'auto', 'models', 'registry', 'checkpoints', 'data', 'files', 'runtime', 'client'],
  web: ['core', 'auto', 'checkpoints', 'data', 'onnx', 'models', 'registry', 'runtime'],
  'web.ts': ['core', 'auto', 'checkpoints', 'data', 'onnx', 'models', 'registry', 'runtime', 'web'],
  'index.ts': [
    'core',
    'auto',
    'downloads',
    'checkpoints',
    'files',
    'data',
    'degrade',
    'metrics',
    'models',
    'onnx',
    'registry',
    'runtime',
  ],
  'client.ts': ['core', 'models', 'client'],
  'train.ts': ['core', 'exports'],
  exports: [
    'core',
    'nn',
    'models',
    'diffusion',
    'torch',
    'checkpoints',
    'files',
    'registry',
    'data',
    'degrade',
    'train',
  ],
}

/** The shells, including the compute process, which may import everything except one another. */
const shells = ['cli', 'worker']

interface Import {
  readonly from: string
  /** A project file relative to the root, or the name of a package or Node module. */
  readonly to: string
  readonly isOurs: boolean
}

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return sourceFiles(path)
    return /(?<!\.test)\.ts$/.test(entry.name) ? [path] : []
  })
}

function importsOf(file: string): readonly Import[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), 'utf8'), true, true)
  return importedFiles.map(({ fileName }) => {
    const isOurs = fileName.startsWith('.')
    const to = isOurs ? relative(root, join(root, dirname(file), fileName)) : fileName
    return { from: file, to, isOurs }
  })
}

const files = ['src', 'native'].flatMap(sourceFiles)
const imports = new Map(files.map((file) => [file, importsOf(file)]))
const edges = [...imports.values()].flat()

/** Folder of a file: 'core' for src/core/ops.ts, 'native' for native/load.ts, 'index.ts' for src/index.ts. */
function folderOf(file: string): string {
  const [first = '', second = ''] = file.split(sep)
  return first === 'src' ? second : first
}

function describeEdge({ from, to }: Import): string {
  return `${from} imports ${to}`
}

/** All imports that are reachable from some files. */
function reachedFrom(starts: readonly string[]): readonly Import[] {
  const queue = [...starts]
  const visited = new Set(starts)
  for (const file of queue) {
    for (const { to, isOurs } of imports.get(file) ?? []) {
      if (isOurs && !visited.has(to)) queue.push(to)
      visited.add(to)
    }
  }
  return queue.flatMap((file) => imports.get(file) ?? [])
}

function filesOf(...folders: readonly string[]): readonly string[] {
  return files.filter((file) => folders.includes(folderOf(file)))
}

test('finds static, type and dynamic imports', () => {
  const found = edges.map(describeEdge)
  expect(found).toContain(`${join('src', 'core', 'tensor.ts')} imports ${join('src', 'core', 'shapes.ts')}`)
  expect(found).toContain(`${join('src', 'torch', 'ops.ts')} imports ${join('native', 'addon.ts')}`)
  expect(found).toContain(
    `${join('src', 'cli', 'buildProgram.ts')} imports ${join('src', 'cli', 'restore', 'restore.ts')}`,
  )
})

test('every relative import resolves to an existing file', () => {
  expect(edges.filter(({ to, isOurs }) => isOurs && !existsSync(join(root, to))).map(describeEdge)).toEqual(
    [],
  )
})

test('every folder has import rules', () => {
  const known = [...Object.keys(mayImport), ...shells]
  expect([...new Set(files.map(folderOf))].filter((folder) => !known.includes(folder))).toEqual([])
})

test('imports point down', () => {
  const upward = edges.filter(({ from, to, isOurs }) => {
    if (!isOurs) return false
    const user = folderOf(from)
    const used = folderOf(to)
    if (user === used) return false
    return shells.includes(user)
      ? [...shells, 'web', 'test'].includes(used)
      : !mayImport[user]?.includes(used)
  })
  expect(upward.map(describeEdge)).toEqual([])
})

/** Subfolders from low to high: each may import those before it; files at the top of the folder may import all. */
const subfolderOrder: Readonly<Record<string, readonly string[]>> = {
  cli: ['io', 'commands', 'networks', 'measure', 'restore', 'training', 'server'],
  runtime: ['jobs', 'pictures', 'tiles', 'graphs', 'session', 'reading', 'networks', 'sampling'],
  server: ['protocol', 'store', 'access', 'jobs', 'pages', 'routes'],
  train: ['report', 'optimization', 'samples', 'recipe', 'loader', 'networks'],
}

/** 'loader' of src/train/loader/worker.ts, undefined for src/train/loop.ts. */
function subfolderOf(file: string): string | undefined {
  const [, , subfolder, ...rest] = file.split(sep)
  return rest.length > 0 ? subfolder : undefined
}

for (const [folder, order] of Object.entries(subfolderOrder)) {
  const inside = edges.filter(({ from, to }) => folderOf(from) === folder && folderOf(to) === folder)

  test(`every subfolder of src/${folder} has a place in its order`, () => {
    const subfolders = new Set(filesOf(folder).map(subfolderOf))
    subfolders.delete(undefined)
    expect([...subfolders].sort()).toEqual([...order].sort())
  })

  test(`imports within src/${folder} point down`, () => {
    const rank = (file: string) => {
      const subfolder = subfolderOf(file)
      return subfolder === undefined ? order.length : order.indexOf(subfolder)
    }
    expect(inside.filter(({ from, to }) => rank(from) < rank(to)).map(describeEdge)).toEqual([])
  })
}

/** The subfolder of a file inside its folder, or the file itself where it lies straight in the folder. */
function partOf(file: string): string {
  return subfolderOf(file) ?? file.split(sep).slice(2).join(sep)
}

/** Edges of a graph that lead back to where they start from, by any way. */
function cyclesIn(parts: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    [...(parts.get(from) ?? [])].some((next) => {
      if (next === to) return true
      if (seen.has(next)) return false
      seen.add(next)
      return reaches(next, to, seen)
    })
  return [...parts.keys()].filter((part) => reaches(part, part))
}

test.each([...new Set(files.map(folderOf))])(
  'inside %s, no file or subfolder imports its way back to itself',
  (folder) => {
    const parts = new Map<string, Set<string>>()
    for (const { from, to, isOurs } of edges) {
      if (!isOurs || folderOf(from) !== folder || folderOf(to) !== folder) continue
      const [user, used] = [partOf(from), partOf(to)]
      if (user !== used) parts.set(user, (parts.get(user) ?? new Set()).add(used))
    }
    expect(cyclesIn(parts)).toEqual([])
  },
)

test('the core, networks and graphs import neither packages nor Node modules', () => {
  const portable = ['core', 'nn', 'models', 'diffusion', 'onnx', 'degrade']
  expect(
    edges.filter(({ from, isOurs }) => !isOurs && portable.includes(folderOf(from))).map(describeEdge),
  ).toEqual([])
})

test('the addon’s loader imports only errors, dtypes, files and Node modules', () => {
  const needed = [
    'core/errors.ts',
    'core/data.ts',
    'files/atomicWrite.ts',
    'files/cacheFolder.ts',
    'files/cores.ts',
    'files/processes.ts',
    'files/processor.ts',
  ].map((file) => join('src', file))
  const foreign = edges.filter(
    ({ from, to, isOurs }) =>
      folderOf(from) === 'native' &&
      (isOurs ? folderOf(to) !== 'native' && !needed.includes(to) : !to.startsWith('node:')),
  )
  expect(foreign.map(describeEdge)).toEqual([])
})

test('inference and the browser never reach libtorch or training', () => {
  const reached = reachedFrom(filesOf('runtime', 'web', 'web.ts'))
  const forbidden = reached.filter(({ to }) =>
    ['torch', 'native', 'train', 'exports', 'train.ts'].includes(folderOf(to)),
  )
  expect(forbidden.map(describeEdge)).toEqual([])
})

test('inference and the browser reach networks only through the registry’s table', () => {
  const reached = reachedFrom(filesOf('runtime', 'web', 'web.ts'))
  // Cards, tasks and descriptors are data; a network's code is in the file named like its folder.
  const isNetwork = (file: string) => /models[/\\](\w+)[/\\]\1\.ts$/.test(file)
  const entries = reached.filter(({ from, to }) => isNetwork(to) && folderOf(from) !== 'models')
  const table = join('src', 'registry', 'networks.ts')
  expect(entries.filter(({ from }) => from !== table).map(describeEdge)).toEqual([])
})

test('the browser reaches no Node modules', () => {
  const reached = reachedFrom(filesOf('web', 'web.ts'))
  const allowed = [
    ...['onnxruntime-common', 'onnxruntime-web/webgpu', 'onnxruntime-web/wasm'],
    ...['fflate', '@xmldom/xmldom'],
  ]
  expect(reached.filter(({ to, isOurs }) => !isOurs && !allowed.includes(to)).map(describeEdge)).toEqual([])
})

test('the browser reaches no Buffer, which is Node’s', () => {
  const files = new Set(reachedFrom(filesOf('web', 'web.ts')).map(({ from }) => from))
  const uses = [...files].filter((file) => /\bBuffer\.\w+\(/.test(readFileSync(join(root, file), 'utf8')))
  expect(uses).toEqual([])
})

test('the app reaches the sources through limpid/web and limpid/client alone, and packages for browsers', () => {
  const appFiles = readdirSync(join(root, 'app', 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /(?<!\.test)\.tsx?$/.test(name))
    .map((name) => join('app', 'src', name))
  const allowed = [
    ...['limpid/web', 'limpid/client', 'preact', 'preact/hooks', '@preact/signals'],
    ...['browser-fs-access', 'client-zip', 'idb-keyval'],
    ...['onnxruntime-web/webgpu', 'onnxruntime-web/wasm', 'libheif-js/wasm-bundle', '@jsquash/jxl/decode'],
  ]
  const foreign = appFiles
    .flatMap(importsOf)
    .filter(({ to, isOurs }) => (isOurs ? !to.startsWith(join('app', 'src')) : !allowed.includes(to)))
  expect(appFiles.length).toBeGreaterThan(20)
  expect(foreign.map(describeEdge)).toEqual([])
})
