// Prints the last line of a test run: `N passed, N failed` (and the number of skipped tests).

import type { Reporter, SerializedError, TestModule, TestRunEndReason } from 'vitest/node'

export class SummaryReporter implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state]++
      // A file that does not load, or a hook that throws, is a failure without a failed test.
      counts.failed += module.errors().length
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length
    }
    if (reason === 'failed' && counts.failed === 0) counts.failed = 1
    const skipped = counts.skipped + counts.pending
    const rest = skipped > 0 ? `, ${skipped} skipped` : ''
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${rest}\n`)
  }
}
