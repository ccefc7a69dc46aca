// Files written while a training runs: log.jsonl, TensorBoard events, report.html.

import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeAtomicSync } from '../../files/atomicWrite.ts'
import { unwritable } from '../../files/outputErrors.ts'
import type { LogNote, LogRow } from './logRow.ts'
import { type ReportImage, type ReportSubject, reportHtml } from './reportPage.ts'
import { appendScalars } from './tensorboard.ts'

export interface Journal {
  add(row: LogRow): void
  /** Records a note, unless the log has it already. */
  note(text: string, step: number): void
  /** Replaces the images in the report with those of the newest validation. */
  show(images: readonly ReportImage[], bestStep: number | undefined): void
  /** Draws the report as the training ends. */
  close(): void
}

/** Seconds between drawings of the report, whose browser reloads it every 30. */
const drawEverySeconds = 15

/** Opens the journal of a folder; drops lines after `fromStep`, which a resumed training repeats. */
export function openJournal(
  folder: string,
  subject: ReportSubject,
  { step: fromStep, bestStep: bestBefore }: { readonly step: number; readonly bestStep: number | undefined },
): Journal {
  const log = join(folder, 'log.jsonl')
  const lines = readLines(log).filter((line) => isKept(line, fromStep))
  const rows = lines.filter((line) => line.kind !== 'note')
  const notes = lines.filter((line) => line.kind === 'note')
  const asText = (line: LogRow | LogNote) => `${JSON.stringify(line)}\n`
  writeText(log, lines.map(asText).join(''))
  for (const old of readdirSync(folder)) {
    if (old.startsWith('events.out.tfevents.')) rmSync(join(folder, old))
  }
  const started = Math.floor(rows[0]?.time ?? Date.now() / 1000)
  const events = join(folder, `events.out.tfevents.${started}.limpid`)
  const report = join(folder, 'report.html')
  let images: readonly ReportImage[] = []
  let bestStep = bestBefore
  let drawnMs = Number.NEGATIVE_INFINITY
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
  const draw = () => {
    writeText(report, reportHtml({ ...subject, rows, notes, images, bestStep }))
    drawnMs = performance.now()
  }
  write(() => {
    appendScalars(events, started, 0, {})
    for (const row of rows) record(row)
  })
  return {
    add(row) {
      rows.push(row)
      write(() => {
        appendFileSync(log, asText(row))
        record(row)
      })
      if (performance.now() - drawnMs > 1000 * drawEverySeconds) draw()
    },
    note(text, step) {
      if (notes.some((note) => note.text === text)) return
      const note: LogNote = { step, time: Date.now() / 1000, kind: 'note', text }
      notes.push(note)
      write(() => appendFileSync(log, asText(note)))
    },
    show(newest, best) {
      images = newest
      bestStep = best
      draw()
    },
    close: draw,
  }
}

/** Whether a resumed training keeps a line. A note at its first step is of an attempt that saved nothing. */
function isKept({ kind, step }: LogRow | LogNote, fromStep: number): boolean {
  return fromStep > 0 && (kind === 'note' ? step < fromStep : step <= fromStep)
}

function writeText(path: string, text: string): void {
  writeAtomicSync(path, [Buffer.from(text)], { overwrite: true })
}

/** Reads the lines of a log; skips a truncated last one. */
function readLines(file: string): (LogRow | LogNote)[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as LogRow | LogNote]
      } catch {
        return []
      }
    })
}
