import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { SummaryReporter } from './test/reporter.ts'

export default defineConfig({
  resolve: {
    alias: [
      // Recipes import the package by its name.
      { find: 'limpid/train', replacement: fileURLToPath(new URL('src/train.ts', import.meta.url)) },
      {
        find: /^.*\/ownPrograms\.ts$/,
        replacement: fileURLToPath(new URL('test/builtPrograms.ts', import.meta.url)),
      },
    ],
  },
  test: {
    include: ['{src,native,test,bench,recipes,app}/**/*.test.ts'],
    globalSetup: 'test/freshBuild.ts',
    // Processes, since the libtorch addon and ONNX Runtime hold threads of their own; two, as more only wait for one another.
    pool: 'forks',
    maxWorkers: 2,
    // Threads that wait for a busy core cost more than they bring.
    // Tests that open ONNX Runtime themselves are as quiet as the library.
    // No test sees what the user has fetched, or fetches anything by itself.
    env: {
      OMP_NUM_THREADS: '1',
      MKL_NUM_THREADS: '1',
      ORT_DISABLE_TELEMETRY: '1',
      LIMPID_MODELS: join(tmpdir(), 'limpid-no-models'),
      LIMPID_OFFLINE: '1',
    },
    expect: { poll: { timeout: 30_000 } },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default', new SummaryReporter()],
  },
})
