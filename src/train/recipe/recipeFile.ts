// Type-checks a recipe file against Limpid's types and compiles it, so that it can be imported. No code of a
// recipe runs before it type-checks. The compiler that checks it emits it too: no esbuild or jiti is needed.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { RestoreError } from '../../core/errors.ts'
import { ownModule } from '../../data/packageFiles.ts'

export interface CompiledRecipe {
  /** URL from which any thread imports the recipe. */
  readonly url: string
  /** Hash of the compiled code without comments. */
  readonly code: string
  /** Removes the compiled files. */
  dispose(): void
}

const sources = dirname(ownModule('index'))

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
  const program = check(file)
  const sources = program
    .getSourceFiles()
    .filter(({ fileName, isDeclarationFile }) => !isDeclarationFile && !isOwn(fileName))
    .map(({ fileName }) => fileName)
    .filter((name) => !name.includes('/node_modules/'))
  const folder = mkdtempSync(join(tmpdir(), 'limpid-recipe-'))
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

/** Whether a file belongs to Limpid's own sources, which the program includes when Limpid runs from them. */
function isOwn(file: string): boolean {
  return file.startsWith(`${sources}/`) || file.startsWith(`${resolve(sources, '..', 'native')}/`)
}

function check(file: string): ts.Program {
  const paths = Object.fromEntries(
    Object.entries(entries).map(([name, own]) => [name, [ownFile(own, 'types')]]),
  )
  const typeRoots = [
    join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), '..', '@types'),
  ]
  const types = existsSync(join(typeRoots[0] ?? '', 'node')) ? ['node'] : []
  const program = ts.createProgram([file], { ...compilerOptions, paths, typeRoots, types })
  const problems = program
    .getSourceFiles()
    .filter(({ fileName, isDeclarationFile }) => !isDeclarationFile && !isOwn(fileName))
    .flatMap((source) => [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ])
  if (problems.length === 0) return program
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
