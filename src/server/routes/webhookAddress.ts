// Whether an address may be told how jobs end.

import type { ListedHosts } from '../access/listedHosts.ts'
import { ProblemError } from '../protocol/problems.ts'

/** Refuses an address that would not be told. @throws ProblemError 'forbidden' */
export function checkWebhook(address: string, hosts: ListedHosts | undefined): void {
  if (hosts) hosts.check(address, 'webhook')
  else throw new ProblemError('forbidden', 'webhook: expected none, as this server lists no hosts for it')
}
