// Sizes, times and shares in the current language; no line breaks before a unit.

import { licenses, type ModelCard } from 'limpid/web'
import { language, strings } from '../strings.ts'

const number = (value: number, digits: number) =>
  new Intl.NumberFormat(language.value, { maximumFractionDigits: digits }).format(value)

export function formatBytes(bytes: number): string {
  if (bytes < 1e6) return `${number(Math.max(bytes / 1e3, 1), 0)}\u00a0kB`
  return `${number(bytes / 1e6, bytes < 1e7 ? 1 : 0)}\u00a0MB`
}

export function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${number(seconds, seconds < 10 ? 1 : 0)}\u00a0s`
  if (seconds < 5400) return `${number(seconds / 60, 0)}\u00a0min`
  return `${number(seconds / 3600, 1)}\u00a0h`
}

export function formatShare(share: number): string {
  return `${number(100 * share, 0)}\u00a0%`
}

export function licenseText({ license }: ModelCard): string {
  const { title, isCommercial } = licenses[license]
  return isCommercial ? title : `${title}, ${strings.value.nonCommercial}`
}
