// Offers to install the app where the browser can.

import { signal } from '@preact/signals'

interface InstallPrompt extends Event {
  prompt(): Promise<unknown>
}

/** Asks the browser to install; undefined where it does not offer to. */
export const install = signal<(() => Promise<void>) | undefined>(undefined)

addEventListener('beforeinstallprompt', (event) => {
  event.preventDefault()
  install.value = async () => {
    install.value = undefined
    await (event as InstallPrompt).prompt()
  }
})
