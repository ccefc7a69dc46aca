// Registers the service worker, which keeps the app for use without a network. A new version asks before it takes over.

import { messageOf } from './message.ts'
import { log, notify } from './notices.ts'
import { strings } from './strings.ts'

/** Whether the page was reloaded for isolation, so that it is not tried twice. */
const reloadedKey = 'limpid-reloaded'

export async function startServiceWorker(): Promise<void> {
  if (!('serviceWorker' in navigator) || import.meta.env.MODE === 'development') return
  const { serviceWorker } = navigator
  const hadController = serviceWorker.controller !== null
  try {
    const registration = await serviceWorker.register('serviceWorker.js')
    registration.addEventListener('updatefound', () => {
      const { installing } = registration
      installing?.addEventListener('statechange', () => {
        if (installing.state === 'installed' && hadController) offerUpdate(installing)
        if (installing.state === 'activated' && !hadController) notify(strings.value.offlineReady)
      })
    })
    if (registration.waiting && hadController) offerUpdate(registration.waiting)
    await serviceWorker.ready
    if (!serviceWorker.controller)
      await new Promise((resolve) =>
        serviceWorker.addEventListener('controllerchange', resolve, { once: true }),
      )
    isolate()
  } catch (error) {
    log(`the app cannot be kept for use without a network (${messageOf(error)})`)
  }
}

function offerUpdate(waiting: ServiceWorker): void {
  const { updateReady, reload, later } = strings.value
  const takeOver = () => {
    navigator.serviceWorker.addEventListener('controllerchange', () => location.reload())
    waiting.postMessage('take-over')
  }
  notify(updateReady, [
    { label: reload, run: takeOver },
    { label: later, run: () => {} },
  ])
}

/** Reloads once where the service worker supplies the headers of isolation that the host does not. */
function isolate(): void {
  if (crossOriginIsolated || sessionStorage.getItem(reloadedKey)) return
  sessionStorage.setItem(reloadedKey, 'yes')
  location.reload()
}
