// Quotas of control groups, in copies of the files that Linux shows them in.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { cpuQuota } from './cores.ts'

function system(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'cores-'))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return root
}

const group = 'proc/self/cgroup'

test.each([
  ['no limit', { [group]: '0::/\n', 'sys/fs/cgroup/cpu.max': 'max 100000\n' }, Number.POSITIVE_INFINITY],
  ['a container', { [group]: '0::/\n', 'sys/fs/cgroup/cpu.max': '150000 100000\n' }, 1.5],
  [
    'a service within a limited slice',
    {
      [group]: '0::/user.slice/limpid.service\n',
      'sys/fs/cgroup/user.slice/cpu.max': '200000 100000\n',
      'sys/fs/cgroup/user.slice/limpid.service/cpu.max': 'max 100000\n',
    },
    2,
  ],
  [
    'version 1',
    {
      [group]: '12:pids:/a\n4:cpu,cpuacct:/docker/b\n1:name=systemd:/a\n',
      'sys/fs/cgroup/cpu/docker/b/cpu.cfs_quota_us': '50000\n',
      'sys/fs/cgroup/cpu/docker/b/cpu.cfs_period_us': '100000\n',
    },
    0.5,
  ],
  [
    'version 1 without a limit',
    {
      [group]: '4:cpu:/\n',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    },
    Number.POSITIVE_INFINITY,
  ],
  ['another system', {}, Number.POSITIVE_INFINITY],
])('the quota of %s', (_, files, expected) => {
  expect(cpuQuota(system(files))).toBe(expected)
})
