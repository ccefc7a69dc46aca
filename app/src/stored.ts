// Values that last beyond the page.

import { effect, type Signal, signal } from '@preact/signals'

/** A signal that is kept in the browser, as long as it lets pages keep anything. */
export function storedSignal<T extends object>(key: string, defaults: T): Signal<T> {
  const value = signal<T>({ ...defaults, ...read(key) })
  effect(() => {
    const text = JSON.stringify(value.value)
    try {
      localStorage.setItem(key, text)
    } catch {
      // It then lasts as long as the page.
    }
  })
  return value
}

function read(key: string): object {
  try {
    return JSON.parse(localStorage.getItem(key) ?? '{}')
  } catch {
    // Private windows may refuse storage, and an older version may have left something else.
    return {}
  }
}
