// Settings of the app itself.

import { signal } from '@preact/signals'
import { cards } from 'limpid/web'
import { useEffect, useRef } from 'preact/hooks'
import type { Engine, StoredModel } from '../engine/engine.ts'
import { openModel } from '../files/intake.ts'
import { logLines, notify } from '../notices.ts'
import { ownModel } from '../queue/queue.ts'
import { change, settings } from '../settings.ts'
import { language, strings } from '../strings.ts'
import { Choice, Select } from './controls.tsx'
import { formatBytes, licenseText } from './format.ts'
import { Icon, IconButton } from './icons.tsx'

const storedModels = signal<readonly StoredModel[]>([])

let engine: Engine | undefined

/** Names the engine whose models are listed. */
export function startSettings(one: Engine): void {
  engine = one
}

async function listModels(): Promise<void> {
  storedModels.value = (await engine?.storedModels()) ?? []
}

export const areSettingsOpen = signal(false)

export function SettingsDialog() {
  const words = strings.value
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog
      ref={dialog}
      class="settings"
      aria-label={words.settings}
      onClose={() => {
        areSettingsOpen.value = false
      }}
    >
      <header>
        <h2>{words.settings}</h2>
        <button
          type="button"
          class="icon-button"
          aria-label={words.close}
          onClick={() => dialog.current?.close()}
        >
          <Icon name="close" />
        </button>
      </header>
      <h3>{words.language}</h3>
      <Choice
        label={words.language}
        value={language.value}
        options={[
          ['en', 'English'],
          ['de', 'Deutsch'],
        ]}
        onChange={(next) => change({ language: next })}
      />
      <Select
        label={words.theme}
        value={settings.value.theme}
        options={[
          ['system', words.system],
          ['light', words.light],
          ['dark', words.dark],
        ]}
        onChange={(theme) => change({ theme })}
      />
      <h3>{words.models}</h3>
      <StoredModels />
      <p class="hint">{words.ownModels}</p>
      <button type="button" onClick={() => void openModel()}>
        {words.openModel}
      </button>
      <h3>{words.log}</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrolled by keys */}
      <pre class="log" tabIndex={0}>
        {logLines.value.join('\n')}
      </pre>
      <button type="button" onClick={() => void copyLog()}>
        <Icon name="copy" />
        {words.copyLog}
      </button>
      <h3>{words.about}</h3>
      <p>
        {words.aboutText} <a href="weights/ATTRIBUTION.tsv">{words.attribution}</a>.
      </p>
    </dialog>
  )
}

/** Models that the browser keeps, each with its size and a button that deletes it. */
function StoredModels() {
  const words = strings.value
  const models = storedModels.value
  const own = ownModel.value
  useEffect(() => void listModels(), [])
  if (models.length === 0 && !own) return <p class="quiet">{words.noModels}</p>
  return (
    <ul class="models">
      {models.map((model) => (
        <li key={model.name}>
          <span>
            {model.name}
            <span class="details">
              {formatBytes(model.sizeBytes)}, {licenseOf(model.name)}
            </span>
          </span>
          <IconButton
            icon="close"
            label={words.delete(model.name)}
            act={() => void model.delete().then(listModels)}
          />
        </li>
      ))}
      {own && (
        <li>
          <span>
            {words.ownModel}: {own.name}
            <span class="details">
              {formatBytes(own.size)}, {words.unknownLicense}
            </span>
          </span>
        </li>
      )}
    </ul>
  )
}

function licenseOf(checkpoint: string): string {
  const card = cards.find((one) => one.checkpoint === checkpoint)
  return card ? licenseText(card) : strings.value.unknownLicense
}

async function copyLog(): Promise<void> {
  const facts = `${navigator.userAgent}, isolated: ${crossOriginIsolated}`
  await navigator.clipboard.writeText([facts, ...logLines.value].join('\n'))
  notify(strings.value.copied)
}
