// How photos are restored and saved.

import type { ComponentChildren } from 'preact'
import { availableTasks, findModel, modelsFor } from '../engine/models.ts'
import { paceOf } from '../engine/pace.ts'
import { hasServer, isRemote, needsKey, place, serverKey, serverName } from '../engine/place.ts'
import { copyItem, saveItem } from '../files/save.ts'
import type { Item } from '../queue/item.ts'
import { isOutdated, ownModel, restartCurrent, retryItem, selected } from '../queue/queue.ts'
import { change, type Format, type Settings, settings } from '../settings.ts'
import { strings } from '../strings.ts'
import { Chips } from './chips.tsx'
import { formatBytes, formatSeconds, formatShare, licenseText } from './format.ts'
import { Icon } from './icons.tsx'
import { stateText } from './stateText.ts'

export function Controls() {
  const words = strings.value
  const item = selected.value
  return (
    <section class="controls" aria-label={words.adjust}>
      <div class="controls-scroll">
        {hasServer && <PlaceChoice />}
        <Choice
          label={words.adjust}
          value={settings.value.mode}
          options={[
            ['auto', words.auto],
            ['hand', words.byHand],
          ]}
          onChange={(mode) => restore({ mode })}
        />
        {settings.value.mode === 'hand' ? <ByHand /> : item && <Chips item={item} />}
        <Slider
          label={words.strength}
          value={Math.round(100 * settings.value.strength)}
          text={formatShare(settings.value.strength)}
          min={0}
          onInput={(percent) => change({ strength: percent / 100 })}
        />
        <OutputControls />
        {item && <Facts item={item} />}
      </div>
      {item && <MainAction item={item} />}
    </section>
  )
}

/** Where photos are computed. */
export function PlaceChoice() {
  const words = strings.value
  return (
    <div class="place">
      <Choice
        label={words.place}
        value={place.value}
        options={[
          ['server', serverName.value],
          ['browser', words.thisBrowser],
        ]}
        onChange={(next) => restore({ place: next })}
      />
      {isRemote.value && <p class="hint">{words.leavesDevice(serverName.value)}</p>}
      {place.value === 'server' && needsKey && (
        <Field label={words.key}>
          <input
            type="password"
            autocomplete="off"
            value={serverKey.value.text}
            onChange={({ currentTarget }) => {
              serverKey.value = { text: currentTarget.value.trim() }
            }}
          />
        </Field>
      )}
    </div>
  )
}

/** Changes what the network does: the photo at hand starts again. */
function restore(changed: Partial<Settings>): void {
  change(changed)
  restartCurrent()
}

function ByHand() {
  const words = strings.value
  const { task, model, scale } = settings.value
  const own = ownModel.value
  const card = findModel(model)
  const options = modelsFor(task)
  const pace = paceOf(model)
  return (
    <>
      <Select
        label={words.task}
        value={task}
        options={availableTasks.value.map((id) => [id, words.tasks[id] ?? id])}
        onChange={(next) => restore({ task: next, model: modelsFor(next)[0]?.id ?? model })}
      />
      <Select
        label={words.model}
        value={model}
        options={[
          ...options.map(({ id }) => [id, id] as const),
          ...(own ? [[own.name, `${words.ownModel}: ${own.name}`] as const] : []),
        ]}
        onChange={(next) => restore({ model: next })}
      />
      {card && (
        <p class="hint">
          {words.titles[card.id] ?? card.title}
          {card.sizeBytes !== undefined && `. ${formatBytes(card.sizeBytes)}`}
          {`. ${licenseText(card)}`}
          {pace !== undefined && `. ${words.pace(formatSeconds(pace))}`}
        </p>
      )}
      {card?.mayInvent && <p class="hint">{words.mayInvent}</p>}
      {card && card.scale > 1 && (
        <Slider
          label={words.scale}
          value={scale}
          text={`× ${scale}`}
          min={1}
          max={4}
          step={0.5}
          onInput={(next) => change({ scale: next })}
          onChange={() => restartCurrent()}
        />
      )}
    </>
  )
}

function OutputControls() {
  const words = strings.value
  const { format, quality, metadata } = settings.value
  return (
    <>
      <Select
        label={words.format}
        value={format}
        options={[
          ['same', words.sameFormat],
          ['png', 'PNG'],
          ['jpeg', 'JPEG'],
          ['webp', 'WebP'],
        ]}
        onChange={(next) => change({ format: next as Format })}
      />
      {format !== 'png' && (
        <Slider
          label={words.quality}
          value={quality}
          text={String(quality)}
          min={1}
          onInput={(next) => change({ quality: next })}
        />
      )}
      <Select
        label={words.metadata}
        value={metadata}
        options={[
          ['keep', words.keep],
          ['no-place', words.noPlace],
          ['none', words.none],
        ]}
        onChange={(next) => change({ metadata: next })}
      />
    </>
  )
}

function Facts({ item }: { item: Item }) {
  const words = strings.value
  const state = item.state.value
  if (state.kind !== 'done') return null
  const { file, seconds, device, model, notes } = state.result
  return (
    <div class="facts">
      <p>{words.facts(formatBytes(file.size), formatSeconds(seconds), words.device[device] ?? device)}</p>
      <p class="quiet">{model}</p>
      {notes.map((note) => (
        <p class="quiet" key={note}>
          {note}
        </p>
      ))}
    </div>
  )
}

function MainAction({ item }: { item: Item }) {
  const words = strings.value
  const { kind } = item.state.value
  return (
    <div class={`main-action ${kind}`}>
      <p class="state" aria-hidden="true">
        {stateText(item)}
      </p>
      {isOutdated(item) && (
        <button type="button" class="primary" onClick={() => retryItem(item)}>
          <Icon name="retry" />
          {words.restoreAgain}
        </button>
      )}
      <button
        type="button"
        class={isOutdated(item) ? '' : 'primary'}
        disabled={kind !== 'done'}
        onClick={() => void saveItem(item)}
      >
        <Icon name="save" />
        {words.save}
      </button>
      {item.restored.value && (
        <button type="button" class="plain" onClick={() => void copyItem(item)}>
          <Icon name="copy" />
          {words.copy}
        </button>
      )}
    </div>
  )
}

interface ChoiceProps<T extends string> {
  readonly label: string
  readonly value: T
  readonly options: readonly (readonly [T, string])[]
  readonly onChange: (value: T) => void
}

/** A few options side by side. */
export function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  return (
    <fieldset class="choice">
      <legend class="unseen">{label}</legend>
      {options.map(([id, text]) => (
        <label key={id}>
          <input type="radio" name={label} checked={id === value} onChange={() => onChange(id)} />
          <span class="choice-text" title={text}>
            {text}
          </span>
        </label>
      ))}
    </fieldset>
  )
}

export function Select<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  return (
    <Field label={label}>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value as T)}>
        {options.map(([id, text]) => (
          <option key={id} value={id} selected={id === value}>
            {text}
          </option>
        ))}
      </select>
    </Field>
  )
}

interface SliderProps {
  readonly label: string
  readonly value: number
  /** The value as it is shown. */
  readonly text: string
  readonly min: number
  readonly max?: number
  readonly step?: number
  readonly onInput: (value: number) => void
  /** Once the value has settled. */
  readonly onChange?: () => void
}

function Slider({ label, value, text, min, max = 100, step = 1, onInput, onChange }: SliderProps) {
  return (
    <Field label={label} value={text}>
      <input
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={text}
        onInput={({ currentTarget }) => onInput(currentTarget.valueAsNumber)}
        onChange={onChange}
      />
    </Field>
  )
}

function Field({ label, value, children }: { label: string; value?: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is a child
    <label class="field">
      <span class="field-label">
        {label}
        {value !== undefined && <span class="field-value">{value}</span>}
      </span>
      {children}
    </label>
  )
}
