// Builds the app as a folder of static files, and serves it for development.

import { createHash } from 'node:crypto'
import {
  copyFileSync,
  createReadStream,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'
import { contentPolicy } from '../src/server/pages/pageHeaders.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const runtime = join(root, 'node_modules', 'onnxruntime-web')
const { version } = JSON.parse(readFileSync(join(runtime, 'package.json'), 'utf8')) as { version: string }

/** Folder of ONNX Runtime's files: a new version has new addresses, so browsers may keep the old ones. */
const runtimeFolder = `ort-${version}`
/** Those of the build with WebGPU, and of the one without. */
const runtimeFiles = ['ort-wasm-simd-threaded.asyncify', 'ort-wasm-simd-threaded'].flatMap((name) => [
  `${name}.mjs`,
  `${name}.wasm`,
])

/** Files that are served beside the bundle, by address: ONNX Runtime and the weights. */
const besides = new Map<string, string>([
  ...runtimeFiles.map((name) => [`${runtimeFolder}/${name}`, join(runtime, 'dist', name)] as const),
  ...readdirSync(join(root, 'weights'))
    .filter((name) => /\.safetensors$|^ATTRIBUTION/.test(name))
    .map((name) => [`weights/${name}`, join(root, 'weights', name)] as const),
])

/** Serves these files in development, and puts them beside the bundle. */
function filesBeside(): Plugin {
  let folder = ''
  return {
    name: 'limpid-files',
    configResolved: ({ root: here, build }) => {
      folder = join(here, build.outDir)
      if (build.outDir.startsWith('/')) folder = build.outDir
    },
    configureServer: ({ middlewares }) => {
      middlewares.use((request, response, next) => {
        const file = besides.get(new URL(request.url ?? '', 'http://localhost').pathname.slice(1))
        if (!file) return next()
        if (file.endsWith('.mjs')) response.setHeader('Content-Type', 'text/javascript')
        if (file.endsWith('.wasm')) response.setHeader('Content-Type', 'application/wasm')
        createReadStream(file).pipe(response)
      })
    },
    closeBundle: () => {
      for (const [address, file] of besides) {
        const target = join(folder, address)
        mkdirSync(join(target, '..'), { recursive: true })
        if (existsSync(target)) continue
        try {
          linkSync(file, target)
        } catch {
          copyFileSync(file, target)
        }
      }
    },
  }
}

/** The same policy for pages that a host serves without headers. */
function policyInPage(): Plugin {
  return {
    name: 'limpid-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: contentPolicy },
        injectTo: 'head-prepend',
      },
    ],
  }
}

/** Tells the service worker which files make up the shell, and a version that changes with any of them. */
function shellList(): Plugin {
  return {
    name: 'limpid-shell',
    apply: 'build',
    enforce: 'post',
    generateBundle: (_, bundle) => {
      const worker = bundle['serviceWorker.js']
      if (worker?.type !== 'chunk') throw new TypeError('expected serviceWorker.js in the bundle')
      const publicFiles = readdirSync(join(root, 'app', 'public'), { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
      const built = Object.values(bundle).filter((file) => file !== worker)
      const hash = createHash('sha256')
      for (const file of built) hash.update(file.type === 'chunk' ? file.code : file.source)
      for (const name of publicFiles) hash.update(readFileSync(join(root, 'app', 'public', name)))
      // What is loaded by few, such as the decoder of HEIC, is kept once it was.
      const isShell = (name: string) => /\.css$|^assets\/(?:index|worker)-/.test(name)
      const names = built.map(({ fileName }) => fileName).filter((name) => name !== 'index.html')
      worker.code = worker.code
        .replaceAll('__SHELL_FILES__', JSON.stringify([...names.filter(isShell), ...publicFiles]))
        .replaceAll('__LATER_FILES__', JSON.stringify(names.filter((name) => !isShell(name))))
        .replaceAll('__SHELL_VERSION__', JSON.stringify(hash.digest('hex').slice(0, 16)))
    },
  }
}

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  resolve: {
    alias: {
      'limpid/web': join(root, 'src/web.ts'),
      'limpid/client': join(root, 'src/client.ts'),
    },
    // Leaves the files of ONNX Runtime where `besides` puts them.
    conditions: ['onnxruntime-web-use-extern-wasm', 'module', 'browser', 'development|production'],
  },
  define: { RUNTIME_FOLDER: JSON.stringify(`${runtimeFolder}/`) },
  optimizeDeps: { exclude: ['onnxruntime-web'] },
  server: {
    headers: {
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    },
  },
  worker: { format: 'es' },
  build: {
    outDir: '../dist/app',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        index: fileURLToPath(new URL('index.html', import.meta.url)),
        serviceWorker: fileURLToPath(new URL('src/serviceWorker.ts', import.meta.url)),
      },
      output: {
        entryFileNames: ({ name }) => (name === 'serviceWorker' ? '[name].js' : 'assets/[name]-[hash].js'),
      },
    },
  },
  plugins: [filesBeside(), policyInPage(), shellList()],
})
