// limpid fetch: shows license and size, asks, fetches; lists and removes what was fetched.

import { createInterface } from 'node:readline/promises'
import { RestoreError } from '../../core/errors.ts'
import { isAddress, parseAddress } from '../../downloads/addresses.ts'
import { checkOnline } from '../../downloads/fetchFile.ts'
import { isSound, isStored, listStored, modelsFolder, removeStored } from '../../downloads/store.ts'
import { statedSize } from '../../downloads/transfer.ts'
import { licenses } from '../../models/modelCard.ts'
import { type Download, downloads, formatBytes, type RemoteFile, sizeOf } from '../../registry/downloads.ts'
import { type FetchedModel, fetchModel, filesToFetch } from '../../runtime/fetchModel.ts'
import type { FetchCommandOptions } from '../commands/networks.ts'
import { watchInterrupts } from '../io/interrupts.ts'
import { formatSeconds, printLine, printResult, reporter } from '../io/shell.ts'

export async function fetchCommand(names: readonly string[], options: FetchCommandOptions): Promise<void> {
  checkUsage(names, options)
  if (names.length === 0) listFetched(options)
  else if (options.remove) removeFetched(names, options)
  else await fetchAll(names, options)
}

function checkUsage(names: readonly string[], { from, sha256, remove, yes }: FetchCommandOptions): void {
  if (names.length === 0 && (remove || yes || from !== undefined || sha256 !== undefined))
    throw new RestoreError(
      'usage',
      'fetch: expected NAME…, got none; `limpid models --available` lists the names',
    )
  if (names.length > 1 && sha256 !== undefined)
    throw new RestoreError('usage', `--sha256: expected one address, got ${names.length} names`)
}

async function fetchAll(names: readonly string[], options: FetchCommandOptions): Promise<void> {
  const { from, sha256, quiet } = options
  const wanted = [...new Set(names)].map((name) => ({
    name,
    download: undefined,
    ...filesToFetch(name, { from, sha256 }),
  }))
  const missing = wanted.filter(({ files }) => !files.every(isSound))
  using interrupts = watchInterrupts()
  const { signal } = interrupts
  const isShown = !quiet || !options.yes
  for (const { name, files, download } of isShown ? missing : []) {
    const sized = await Promise.all(files.map((file) => withSize(file, from, signal)))
    for (const line of describe({ name, files: sized, download })) printLine(line)
  }
  if (missing.length > 0 && !options.yes) await confirm(signal)
  const fetched: FetchedModel[] = []
  for (const { name } of wanted) fetched.push(await fetchOne(name, options, signal))
  const paths = fetched.flatMap(({ files }) => files.map(({ path }) => path))
  const document = wanted.map(({ name, download }, i) => ({
    name,
    license: download && licenses[download.license].title,
    files: fetched[i]?.files,
  }))
  printResult(options, { folder: modelsFolder(), fetched: document }, paths.join('\n'))
  if (quiet) return
  for (const { name, download } of missing)
    printLine(
      nextStep(
        name,
        download,
        fetched.find((one) => one.name === name),
      ),
    )
}

/** The file with the size that its server states, where the table has none. */
async function withSize(
  file: RemoteFile,
  from: string | undefined,
  signal: AbortSignal,
): Promise<RemoteFile> {
  if (from !== undefined) return file
  checkOnline(file)
  if (file.sizeBytes !== undefined || file.address === undefined) return file
  return { ...file, sizeBytes: await statedSize(parseAddress(file.address), signal) }
}

interface Described {
  readonly name: string
  readonly files: readonly RemoteFile[]
  readonly download: Download | undefined
}

/** What is about to be fetched: purpose, author, size, license and source. */
function describe({ name, files, download }: Described): readonly string[] {
  const hosts = [
    ...new Set(files.flatMap(({ address }) => (address === undefined ? [] : [new URL(address).host]))),
  ]
  const size = sizeOf({ files })
  const sizeText = size === undefined ? 'size not known before' : formatBytes(size)
  if (!download) return [`${name}: ${sizeText}; its license is not known`]
  const { title, note } = licenses[download.license]
  return [
    `${name}: ${download.title}`,
    `  by ${download.author}${hosts.length > 0 ? `, from ${hosts.join(' and ')}` : ''}; ${sizeText}`,
    `  ${title}. ${note}`,
  ]
}

/** @throws RestoreError 'usage' where nobody can be asked, 'aborted' where the answer is not yes */
async function confirm(signal: AbortSignal): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new RestoreError(
      'usage',
      'fetch: expected --yes where no terminal can ask, got none; add it to accept what is shown above',
    )
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // Ctrl-D closes the terminal without an answer, and Ctrl-C rejects it.
  const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')))
  const answer = await Promise.race([terminal.question('Fetch? [y/N] ', { signal }), closed]).catch(() => '')
  terminal.close()
  if (/^y(es)?$/i.test(answer.trim())) return
  throw new RestoreError('aborted', 'fetch: not confirmed, so nothing was fetched')
}

async function fetchOne(
  name: string,
  options: FetchCommandOptions,
  signal: AbortSignal,
): Promise<FetchedModel> {
  const progress = reporter(options)
  const pauseMs = process.stderr.isTTY ? 200 : 5000
  let shownMs = performance.now() - pauseMs
  try {
    return await fetchModel(name, {
      from: options.from,
      sha256: options.sha256,
      signal,
      onNote: (note) => {
        progress.clear()
        if (!options.quiet) printLine(note)
      },
      onProgress: ({ done, total, secondsLeft }) => {
        if (performance.now() - shownMs < pauseMs) return
        shownMs = performance.now()
        const left = secondsLeft === undefined ? '' : `, ${formatSeconds(secondsLeft)} left`
        progress.show(`${name}: ${formatBytes(done)} of ${formatBytes(total)}${left}`)
      },
    })
  } finally {
    progress.clear()
  }
}

/** The command that uses what was fetched. */
function nextStep(name: string, download: Download | undefined, fetched: FetchedModel | undefined): string {
  if (!download) return `use it: limpid restore photo.jpg --weights ${fetched?.files[0]?.path}`
  const { card } = download
  if (!card) return `use it: limpid eval … --metrics ${name}`
  if (card.task === 'detect') return `use it: limpid detect photo.jpg --model ${name}`
  return `use it: limpid restore photo.jpg --model ${name}`
}

/** Prints what has been fetched, and how much room it takes. */
function listFetched(options: FetchCommandOptions): void {
  const complete = downloads.filter(({ files }) => files.every(isStored))
  const named = new Map(complete.flatMap(({ id, files }) => files.map(({ name }) => [name, id] as const)))
  const files = listStored().map((file) => ({ ...file, model: named.get(file.name) }))
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const rows = files.map(({ name, sizeBytes, model }) => {
    const state = model ?? (name.endsWith('.part') ? 'unfinished' : 'by its address')
    return `${formatBytes(sizeBytes).padStart(8)}  ${name}  (${state})`
  })
  const text =
    files.length === 0
      ? `nothing in ${modelsFolder()}; \`limpid models --available\` lists what can be fetched`
      : [...rows, `${formatBytes(total).padStart(8)}  in ${modelsFolder()}`].join('\n')
  printResult(options, { folder: modelsFolder(), files, sizeBytes: total }, text)
}

/** Deletes the files of models, except those that another fetched model needs. */
function removeFetched(names: readonly string[], options: FetchCommandOptions): void {
  const removed = names.map((name) => {
    const { files } = filesToFetch(name, {
      from: isAddress(name) ? undefined : 'anywhere',
      sha256: undefined,
    })
    const others = downloads.filter(
      (one) => one.id !== name && !names.includes(one.id) && one.files.every(isStored),
    )
    const needed = new Set(others.flatMap((one) => one.files.map((file) => file.name)))
    const sizes = files.filter((file) => !needed.has(file.name)).flatMap((file) => removeStored(file) ?? [])
    return { name, files: sizes.length, sizeBytes: sizes.reduce((sum, size) => sum + size, 0) }
  })
  const text = removed.map(({ name, files, sizeBytes }) =>
    files === 0 ? `${name}: nothing to remove` : `${name}: removed ${formatBytes(sizeBytes)}`,
  )
  printResult(options, { removed }, text.join('\n'))
}
