import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { SummaryReporter } from './test/reporter.ts'

export default defineConfig({
  // Recipes import the package by its name.
  resolve: { alias: { 'limpid/train': fileURLToPath(new URL('src/train.ts', import.meta.url)) } },
  test: {
    include: ['{src,native,test,bench,recipes}/**/*.test.ts'],
    // Processes, since the libtorch addon and ONNX Runtime hold threads of their own; two, as more only wait for one another.
    pool: 'forks',
    maxWorkers: 2,
    // Threads that wait for a busy core cost more than they bring.
    env: { OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1' },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default', new SummaryReporter()],
  },
})
