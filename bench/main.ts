// usage: limpid bench NAME [--runs N] [--dtype float32|bfloat16], or npm run bench -- NAME … in a checkout
// Progress and a table go to stderr; the last line on stdout is the result as one JSON object.

import { spawn } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { errorCodes, RestoreError } from '../src/core/errors.ts'
import { nearestName } from '../src/core/unknownName.ts'
import { type BenchContext, type Benchmark, benchmarks, type Case, type Command } from './benchmarks.ts'
import { describeMachine } from './machine.ts'
import { type Measure, median } from './measure.ts'
import { benchmarkPython } from './python.ts'

interface Options {
  readonly name: string
  readonly benchmark: Benchmark
  readonly runs: number
  readonly dtype: 'float32' | 'bfloat16'
}

interface CaseResult {
  readonly title: string
  readonly ours: number
  readonly reference: number
  readonly ratio: number
  readonly memory_ratio?: number
  readonly prepare_seconds?: number
}

function progress(message: string): void {
  console.error(`bench: ${message}`)
}

function parseOptions(args: readonly string[]): Options {
  const usage = `limpid bench NAME [--runs N] [--dtype float32|bfloat16], NAME one of ${Object.keys(benchmarks).join(', ')}`
  const reject = (problem: string) => new RestoreError('usage', `${problem}; usage: ${usage}`)
  const parse = () => {
    try {
      return parseArgs({
        args: [...args],
        allowPositionals: true,
        options: { runs: { type: 'string', default: '5' }, dtype: { type: 'string', default: 'float32' } },
      })
    } catch (error) {
      throw reject(error instanceof Error ? error.message : String(error))
    }
  }
  const { positionals, values } = parse()
  const [name = '', ...rest] = positionals
  const benchmark = benchmarks[name]
  const { dtype } = values
  const runs = Number(values.runs)
  if (!benchmark || rest.length > 0)
    throw reject(
      `bench: expected the name of one benchmark, got ${positionals.join(' ') || 'none'}${nearestName(name, Object.keys(benchmarks))}`,
    )
  if (!Number.isInteger(runs) || runs < 1) throw reject(`--runs: expected a whole number, got ${values.runs}`)
  if (dtype !== 'float32' && dtype !== 'bfloat16')
    throw reject(`--dtype: expected float32 or bfloat16, got ${dtype}`)
  if (dtype !== 'float32' && name !== 'train-restormer')
    throw reject(`--dtype: ${name} supports only float32`)
  return { name, benchmark, runs, dtype }
}

/** Runs one side and parses the last line of its output. */
function runSide({ program, args }: Command): Promise<Measure> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ORT_DISABLE_TELEMETRY: '1' }
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (text) => {
      output += text
    })
    child.on('error', reject)
    child.on('close', (status, signal) => {
      const line = output.trim().split('\n').at(-1) ?? ''
      if (status === 0 && line.startsWith('{')) resolve(JSON.parse(line))
      else {
        reject(
          new RestoreError(
            'environment',
            `bench: expected a measurement from ${program} ${args.join(' ')}, but it exited with ${signal ?? `status ${status}`}; its error is above`,
          ),
        )
      }
    })
  })
}

/** Runs the sides alternately, after one warm-up run of each. */
async function measureCase({ title, ours, reference }: Case, runs: number): Promise<CaseResult> {
  const measured: { ours: Measure; reference: Measure }[] = []
  for (let run = 0; run <= runs; run++) {
    const mine = await runSide(ours)
    const other = reference
      ? await runSide(reference)
      : { value: mine.reference ?? Number.NaN, peakBytes: Number.NaN }
    const label = run === 0 ? 'warm-up' : `run ${run} of ${runs}`
    progress(`${title}, ${label}: ours ${mine.value.toPrecision(4)}, reference ${other.value.toPrecision(4)}`)
    if (run > 0) measured.push({ ours: mine, reference: other })
  }
  const medianOf = (side: 'ours' | 'reference', figure: (measure: Measure) => number) =>
    median(measured.map((pair) => figure(pair[side])))
  const mine = medianOf('ours', (m) => m.value)
  const other = medianOf('reference', (m) => m.value)
  const prepare = medianOf('ours', (m) => m.prepareSeconds ?? Number.NaN)
  const peak = (m: Measure) => m.peakBytes
  return {
    title,
    ours: mine,
    reference: other,
    ratio: mine / other,
    ...(reference ? { memory_ratio: medianOf('ours', peak) / medianOf('reference', peak) } : {}),
    ...(Number.isNaN(prepare) ? {} : { prepare_seconds: prepare }),
  }
}

function printTable(unit: string, rows: readonly CaseResult[]): void {
  const digits = (value: number | undefined) => (value === undefined ? '-' : value.toPrecision(4))
  const table = [
    ['', 'ours', 'reference', 'ratio', 'memory ratio'],
    ...rows.map((row) => [
      row.title,
      digits(row.ours),
      digits(row.reference),
      digits(row.ratio),
      digits(row.memory_ratio),
    ]),
  ]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  console.error(`\n${unit}, medians`)
  for (const row of table) console.error(row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '))
}

/** Runs the benchmark named by the arguments and prints its result. */
export async function runBenchmark(args: readonly string[]): Promise<void> {
  if (args[0]?.startsWith('--') !== false) {
    console.log(
      Object.entries(benchmarks)
        .map(([name, { unit }]) => `${name.padEnd(16)}  ${unit}`)
        .join('\n'),
    )
    return
  }
  const { name, benchmark, runs, dtype } = parseOptions(args)
  const python = benchmark.python ? await benchmarkPython(benchmark.python, progress) : undefined
  const scratch = mkdtempSync(join(tmpdir(), 'limpid-bench-'))
  try {
    const context: BenchContext = { python: python ?? '', dtype, scratch }
    const rows: CaseResult[] = []
    for (const benchCase of await benchmark.cases(context)) rows.push(await measureCase(benchCase, runs))
    printTable(benchmark.unit, rows)
    const { title: _, ...result } = rows[0]!
    const findings = benchmark.findings?.(context) ?? {}
    const cases = rows.length > 1 ? { cases: rows } : {}
    const machine = describeMachine(python)
    console.log(
      JSON.stringify({ name, unit: benchmark.unit, ...result, ...findings, ...cases, runs, machine }),
    )
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  runBenchmark(process.argv.slice(2)).catch((error) => {
    const isExpected = error instanceof RestoreError
    console.error(isExpected ? error.message : error)
    process.exitCode = isExpected ? errorCodes[error.code].exit : 1
  })
}
