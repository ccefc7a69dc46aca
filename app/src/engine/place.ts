// Where photos are computed: in this browser, or by the server that delivers the page.

import { computed } from '@preact/signals'
import { settings } from '../settings.ts'
import { storedSignal } from '../stored.ts'
import { strings } from '../strings.ts'

export type Place = 'browser' | 'server'

/** How the server is reached, as it says in the page; undefined for a page without one. */
const access = document.querySelector<HTMLMetaElement>('meta[name="limpid-server"]')?.content

export const hasServer = access !== undefined
export const needsKey = access === 'key'

/** Key of a server that asks for one. */
export const serverKey = storedSignal('limpid-key', { text: '' })

/** Whether the server is this computer, so that no photo leaves it. */
const isLocalServer = /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(location.hostname)

/** A photo goes to another machine only where somebody has said so. */
export const place = computed((): Place => {
  if (!hasServer) return 'browser'
  return settings.value.place ?? (isLocalServer ? 'server' : 'browser')
})

/** Whether photos leave this computer. */
export const isRemote = computed(() => place.value === 'server' && !isLocalServer)

export const serverName = computed(() => (isLocalServer ? strings.value.thisComputer : location.hostname))
