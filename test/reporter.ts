// Ends a test run with a line per failure, so that a log that was cut still names them, and with the line
// `N passed, N failed` (and the number of skipped tests).

import { relative } from 'node:path'
import type { Reporter, SerializedError, TestModule, TestRunEndReason } from 'vitest/node'

export class SummaryReporter implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    const failures = unhandledErrors.map((error) => failure('outside of tests', error))
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId)
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result()
        if (state === 'failed') failures.push(failure(`${file} > ${test.fullName}`, errors[0]))
        else counts[state]++
      }
      // A file that does not load, or a hook that throws, is a failure without a failed test.
      for (const error of module.errors()) failures.push(failure(file, error))
      for (const suite of module.children.allSuites())
        for (const error of suite.errors()) failures.push(failure(`${file} > ${suite.fullName}`, error))
    }
    if (reason === 'failed' && failures.length === 0) failures.push('failed: the run, without an error')
    const skipped = counts.skipped + counts.pending
    const rest = skipped > 0 ? `, ${skipped} skipped` : ''
    const summary = `${counts.passed} passed, ${failures.length} failed${rest}`
    process.stdout.write([...failures, summary, ''].join('\n'))
  }
}

function failure(place: string, error: SerializedError | undefined): string {
  const [message] = (error?.message ?? '').split('\n')
  return `failed: ${place}: ${message}`
}
