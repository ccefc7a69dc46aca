// Names and formats of results.

import type { Format } from '../settings.ts'

const extensions = { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp' } as const

export type OutputType = keyof typeof extensions

const byFormat = { png: 'image/png', jpeg: 'image/jpeg', webp: 'image/webp' } as const

/** The type that a result is written in: for formats that browsers cannot write, PNG. */
export function outputType(format: Format, inputType: string): OutputType {
  if (format !== 'same') return byFormat[format]
  return inputType in extensions ? (inputType as OutputType) : 'image/png'
}

/** 'holiday.heic' becomes 'holiday-restored.png'. */
export function outputName(name: string, type: OutputType): string {
  const stem = name.replace(/\.[^.]*$/, '')
  return `${stem}-restored.${extensions[type]}`
}

/** Makes names unique within a zip or a folder, on every file system: 'a.jpg', 'a (2).jpg'. */
export function uniqueNames(): (name: string) => string {
  const used = new Set<string>()
  return (name) => {
    const [, stem = name, extension = ''] = /^(.*?)(\.[^.]*)?$/.exec(name) ?? []
    let free = name
    for (let n = 2; used.has(free.toLowerCase()); n++) free = `${stem} (${n})${extension}`
    used.add(free.toLowerCase())
    return free
  }
}
