// The page: an introduction, or the list, the viewer and the controls.

import { signal } from '@preact/signals'
import { announcement, dismiss, notice } from '../notices.ts'
import { items, selected } from '../queue/queue.ts'
import { strings } from '../strings.ts'
import { Viewer } from '../viewer/viewer.tsx'
import { Controls } from './controls.tsx'
import { Icon, IconButton } from './icons.tsx'
import { Intro } from './intro.tsx'
import { QueueList } from './queueList.tsx'
import { areSettingsOpen, SettingsDialog } from './settingsDialog.tsx'
import { Toolbar } from './toolbar.tsx'

export const isDragging = signal(false)

export function App() {
  const words = strings.value
  const isEmpty = items.value.length === 0
  return (
    <>
      <header class="bar">
        <h1 class="brand">
          <svg class="mark" viewBox="0 0 64 64" aria-hidden="true">
            <path d="M32 6c11 13 17 21 17 31a17 17 0 0 1-34 0c0-10 6-18 17-31z" opacity=".4" />
            <path d="M32 6c11 13 17 21 17 31a17 17 0 0 1-17 17z" />
          </svg>
          Limpid
        </h1>
        <IconButton icon="settings" label={words.settings} act={openSettings} />
      </header>
      {isEmpty ? (
        <Intro />
      ) : (
        <main class="workspace">
          <QueueList />
          <section class="stage">
            <Viewer />
            {selected.value && <Toolbar />}
          </section>
          <Controls />
        </main>
      )}
      {areSettingsOpen.value && <SettingsDialog />}
      {isDragging.value && (
        <div class="drop-target" aria-hidden="true">
          {words.dropHere}
        </div>
      )}
      <NoticeBar />
      <div class="unseen" role="status" aria-live="polite">
        {announcement.value}
      </div>
    </>
  )
}

function openSettings(): void {
  areSettingsOpen.value = true
}

function NoticeBar() {
  const shown = notice.value
  return (
    <div class="notices" role="status" aria-live="polite">
      {shown && (
        <div class="notice" key={shown.id}>
          <span>{shown.text}</span>
          {shown.actions.map(({ label, run }) => (
            <button
              type="button"
              key={label}
              onClick={() => {
                dismiss(shown.id)
                run()
              }}
            >
              {label}
            </button>
          ))}
          <button
            type="button"
            class="icon-button"
            aria-label={strings.value.close}
            onClick={() => dismiss(shown.id)}
          >
            <Icon name="close" />
          </button>
        </div>
      )}
    </div>
  )
}
