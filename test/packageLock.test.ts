// Installing Limpid runs no script of a package: ONNX Runtime's would download CUDA libraries from outside the registry.
// npm 11 and newer follow allowScripts in package.json; npm 10 follows a flag of the lockfile, which `npm install` writes.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

interface Lock {
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>
}

test('no package runs a script when it is installed; delete the "hasInstallScript" lines of package-lock.json', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock
  const flagged = Object.keys(packages).filter((name) => packages[name]?.hasInstallScript)
  expect(flagged).toEqual([])
})
