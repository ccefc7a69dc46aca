// Type-checks a recipe file against Limpid's types and compiles it, so that it can be imported. No code of a
// recipe runs before it type-checks. The compiler that checks it emits it too: no esbuild or jiti is needed.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { RestoreError } from '../../core/errors.ts'
import { ownModule } from '../../data/packageFiles.ts'
import { makeTemporaryFolder } from '../../files/temporaryFolder.ts'

export interface CompiledRecipe {
  /** URL from which any thread imports the recipe. */
  readonly url: string
  /** Hash of the compiled code without comments. */
  readonly code: string
  /** Removes the compiled files. */
  dispose(): void
}

/** File that an import of `limpid` or `limpid/train` resolves to. */
function ownFile(name: string, kind: 'types' | 'code'): string {
  const module = ownModule(name)
  return kind === 'types' ? module.replace(/\.js$/, '.d.ts') : module
}

const entries: Readonly<Record<string, string>> = { 'limpid/train': 'train', limpid: 'index' }

const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  isolatedModules: true,
  skipLibCheck: true,
  noEmit: true,
  removeComments: true,
}

/**
 * Type-checks and compiles a recipe with the files it imports by relative path.
 *
 * @throws RestoreError `input` for a missing file, `usage` for type errors
 */
export function compileRecipe(path: string): CompiledRecipe {
  if (!existsSync(path)) {
    throw new RestoreError('input', `${path}: no such file; check the path, or see recipes/`)
  }
  const file = realpathSync(path)
  if (!statSync(file).isFile())
    throw new RestoreError(
      'input',
      `${path}: expected a recipe file, got a folder, pipe or device; see recipes/`,
    )
  const program = programOf(file)
  const sources = filesOf(file, program)
  check(file, program, sources)
  const folder = makeTemporaryFolder('recipe')
  const dispose = () => rmSync(folder, { recursive: true, force: true })
  try {
    const root = commonFolder(sources)
    const target = (source: string) =>
      join(folder, `${relative(root, source).replace(/\.[cm]?tsx?$/, '')}.mjs`)
    const hash = createHash('sha256')
    for (const source of [...sources].sort()) {
      const code = transpile(program, source, target)
      hash.update(relative(root, source)).update(transpile(program, source, (name) => relative(root, name)))
      mkdirSync(dirname(target(source)), { recursive: true })
      writeFileSync(target(source), code)
    }
    return { url: pathToFileURL(target(file)).href, code: hash.digest('hex').slice(0, 16), dispose }
  } catch (error) {
    dispose()
    throw error
  }
}

/** The files of a recipe: its own and those it imports by relative path. */
function filesOf(file: string, program: ts.Program): readonly string[] {
  const found = new Set([file])
  for (const name of found) {
    const { importedFiles } = ts.preProcessFile(program.getSourceFile(name)?.text ?? '')
    for (const { fileName: specifier } of importedFiles) {
      if (!specifier.startsWith('.')) continue
      const { resolvedModule } = ts.resolveModuleName(specifier, name, program.getCompilerOptions(), ts.sys)
      if (resolvedModule && !resolvedModule.resolvedFileName.endsWith('.d.ts'))
        found.add(realpathSync(resolvedModule.resolvedFileName))
    }
  }
  return [...found]
}

function programOf(file: string): ts.Program {
  const paths = Object.fromEntries(
    Object.entries(entries).map(([name, own]) => [name, [ownFile(own, 'types')]]),
  )
  const typeRoots = [
    join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), '..', '@types'),
  ]
  const types = existsSync(join(typeRoots[0] ?? '', 'node')) ? ['node'] : []
  return ts.createProgram([file], { ...compilerOptions, paths, typeRoots, types })
}

function check(file: string, program: ts.Program, names: readonly string[]): void {
  const problems = names.flatMap((name) => {
    const source = program.getSourceFile(name)
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
  })
  if (problems.length === 0) return
  throw new RestoreError(
    'usage',
    `${file}: expected a recipe that type-checks, got ${problems.length === 1 ? 'an error' : `${problems.length} errors`}; correct:\n${problems.map(describeProblem).join('\n')}`,
  )
}

function describeProblem({ file, start = 0, code, messageText }: ts.Diagnostic): string {
  const text = ts.flattenDiagnosticMessageText(messageText, '\n')
  if (!file) return `TS${code}: ${text}`
  const { line, character } = file.getLineAndCharacterOfPosition(start)
  return `${relative(process.cwd(), file.fileName) || file.fileName}:${line + 1}:${character + 1} ${text} (TS${code})`
}

function commonFolder(names: readonly string[]): string {
  const isIn = (folder: string) => names.every((name) => !relative(folder, name).startsWith('..'))
  let folder = dirname(names[0] ?? '.')
  while (!isIn(folder) && dirname(folder) !== folder) folder = dirname(folder)
  return folder
}

/** Compiles one file; its imports are resolved to compiled files, Limpid's modules and installed packages. */
function transpile(program: ts.Program, file: string, target: (source: string) => string): string {
  const source = program.getSourceFile(file)?.text ?? ''
  const rewrite = (specifier: string): string => {
    const own = entries[specifier]
    if (own !== undefined)
      return isAbsolute(target(file)) ? pathToFileURL(ownFile(own, 'code')).href : specifier
    if (specifier.startsWith('node:')) return specifier
    const { resolvedModule } = ts.resolveModuleName(specifier, file, program.getCompilerOptions(), ts.sys)
    if (specifier.startsWith('.') && resolvedModule)
      return asUrl(target(realpathSync(resolvedModule.resolvedFileName)))
    return asUrl(createRequire(file).resolve(specifier))
  }
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { ...compilerOptions, verbatimModuleSyntax: false },
    fileName: file,
    transformers: { before: [(context) => (node) => rewriteImports(node, context, rewrite)] },
  })
  return outputText
}

const isAbsolute = (path: string) => path.startsWith('/') || /^[A-Za-z]:/.test(path)
const asUrl = (path: string) => (isAbsolute(path) ? pathToFileURL(path).href : path)

function rewriteImports(
  file: ts.SourceFile,
  { factory }: ts.TransformationContext,
  rewrite: (specifier: string) => string,
): ts.SourceFile {
  const statements = file.statements.map((node) => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const to = factory.createStringLiteral(rewrite(node.moduleSpecifier.text))
      return factory.updateImportDeclaration(node, node.modifiers, node.importClause, to, node.attributes)
    }
    if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      const to = factory.createStringLiteral(rewrite(node.moduleSpecifier.text))
      return factory.updateExportDeclaration(
        node,
        node.modifiers,
        node.isTypeOnly,
        node.exportClause,
        to,
        node.attributes,
      )
    }
    return node
  })
  return factory.updateSourceFile(file, statements)
}
