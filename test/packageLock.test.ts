// Installing Limpid runs no script of a package: ONNX Runtime's would download CUDA libraries from outside the registry.
// npm 11 and newer follow allowScripts in package.json; npm 10 follows a flag of the lockfile, which `npm install` writes.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

interface Package {
  readonly hasInstallScript?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  readonly packages: Readonly<Record<string, Package>>
}

test('no package runs a script when it is installed; delete the "hasInstallScript" lines of package-lock.json', () => {
  const flagged = Object.keys(packages).filter((name) => packages[name]?.hasInstallScript)
  expect(flagged).toEqual([])
})

test('every package that another needs or may use is in the lock file, without which npm ci refuses it', () => {
  const isLocked = (user: string, name: string): boolean => {
    if (packages[`${user === '' ? '' : `${user}/`}node_modules/${name}`]) return true
    return user !== '' && isLocked(user.slice(0, Math.max(user.lastIndexOf('/node_modules/'), 0)), name)
  }
  const missing = Object.entries(packages).flatMap(([user, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !isLocked(user, name))
      .map((name) => `${name} of ${user}`),
  )
  expect(missing).toEqual([])
})
