// What is written while a training runs: log.jsonl, TensorBoard's events, report.html.

import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeWhole } from '../../checkpoints/files.ts'
import { messageOf, RestoreError } from '../../core/errors.ts'
import type { Row } from './logRow.ts'
import { type Picture, reportHtml } from './reportPage.ts'
import { appendScalars } from './tensorboard.ts'

export interface Journal {
  readonly rows: readonly Row[]
  add(row: Row): void
  /** Shows what the newest validation looked like. */
  show(pictures: readonly Picture[]): void
}

/** Opens the journal of a folder; rows after `fromStep`, of a training that was cut short, are dropped. */
export function openJournal(folder: string, name: string, fromStep: number): Journal {
  const log = join(folder, 'log.jsonl')
  const rows = readRows(log).filter(({ step }) => step <= fromStep && fromStep > 0)
  writeWhole(log, [new TextEncoder().encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))])
  for (const old of readdirSync(folder)) {
    if (old.startsWith('events.out.tfevents.')) rmSync(join(folder, old))
  }
  const started = Math.floor(rows[0]?.time ?? Date.now() / 1000)
  const events = join(folder, `events.out.tfevents.${started}.limpid`)
  const report = join(folder, 'report.html')
  let pictures: readonly Picture[] = []
  const write = (action: () => void) => {
    try {
      action()
    } catch (error) {
      if (error instanceof RestoreError) throw error
      const reason = messageOf(error)
      throw new RestoreError('output', `${folder}: the log cannot be written (${reason})`, { cause: error })
    }
  }
  const record = ({ time, step, kind, values }: Row) =>
    appendScalars(
      events,
      time,
      step,
      Object.fromEntries(Object.entries(values).map(([tag, value]) => [`${kind}/${tag}`, value])),
    )
  const draw = () => writeWhole(report, [new TextEncoder().encode(reportHtml(name, rows, pictures))])
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
      pictures = newest
      draw()
    },
  }
}

/** Rows of a log; a last line that was cut short is left out. */
function readRows(file: string): Row[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as Row]
      } catch {
        return []
      }
    })
}
