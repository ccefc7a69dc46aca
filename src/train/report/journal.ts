// Files written while a training runs: log.jsonl, TensorBoard events, report.html.

import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeAtomicSync } from '../../files/atomicWrite.ts'
import { unwritable } from '../../files/outputErrors.ts'
import type { LogRow } from './logRow.ts'
import { type ReportImage, reportHtml } from './reportPage.ts'
import { appendScalars } from './tensorboard.ts'

export interface Journal {
  readonly rows: readonly LogRow[]
  add(row: LogRow): void
  /** Replaces the images in the report with those of the newest validation. */
  show(images: readonly ReportImage[]): void
}

/** Opens the journal of a folder; drops rows after `fromStep`, which a resumed training repeats. */
export function openJournal(folder: string, name: string, fromStep: number): Journal {
  const log = join(folder, 'log.jsonl')
  const rows = readRows(log).filter(({ step }) => step <= fromStep && fromStep > 0)
  writeText(log, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  for (const old of readdirSync(folder)) {
    if (old.startsWith('events.out.tfevents.')) rmSync(join(folder, old))
  }
  const started = Math.floor(rows[0]?.time ?? Date.now() / 1000)
  const events = join(folder, `events.out.tfevents.${started}.limpid`)
  const report = join(folder, 'report.html')
  let images: readonly ReportImage[] = []
  const write = (action: () => void) => {
    try {
      action()
    } catch (error) {
      throw unwritable(log, error)
    }
  }
  const record = ({ time, step, kind, values }: LogRow) =>
    appendScalars(
      events,
      time,
      step,
      Object.fromEntries(Object.entries(values).map(([tag, value]) => [`${kind}/${tag}`, value])),
    )
  const draw = () => writeText(report, reportHtml(name, rows, images))
  write(() => {
    appendScalars(events, started, 0, {})
    for (const row of rows) record(row)
  })
  return {
    rows,
    add(row) {
      rows.push(row)
      write(() => {
        appendFileSync(log, `${JSON.stringify(row)}\n`)
        record(row)
      })
      draw()
    },
    show(newest) {
      images = newest
      draw()
    },
  }
}

function writeText(path: string, text: string): void {
  writeAtomicSync(path, [Buffer.from(text)], { overwrite: true })
}

/** Reads the rows of a log; skips a truncated last line. */
function readRows(file: string): LogRow[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as LogRow]
      } catch {
        return []
      }
    })
}
