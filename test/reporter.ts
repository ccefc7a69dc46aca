// The last line of a test run: `N passed, N failed` (and how many were skipped).

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
      // A file that does not load, or a hook that throws, fails without a failing test.
      counts.failed += module.errors().length
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length
    }
    if (reason === 'failed' && counts.failed === 0) counts.failed = 1
    const skipped = counts.skipped + counts.pending
    const rest = skipped > 0 ? `, ${skipped} skipped` : ''
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${rest}\n`)
  }
}
