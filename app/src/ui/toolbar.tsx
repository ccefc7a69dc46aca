// Controls of the viewer.

import { choiceOf, modelsFor } from '../engine/models.ts'
import { modelChoice, selected } from '../queue/queue.ts'
import { settings } from '../settings.ts'
import { strings } from '../strings.ts'
import type { Mode } from '../viewer/draw.ts'
import {
  before,
  compareModels,
  comparison,
  endComparison,
  isComparing,
  isHeld,
  isPixelated,
  mode,
  view,
} from '../viewer/shown.ts'
import { fitPicture, setMode, zoomTo } from '../viewer/viewer.tsx'
import { Icon, IconButton, type IconName } from './icons.tsx'

const modes: readonly {
  readonly id: Mode
  readonly icon: IconName
  readonly word: 'slider' | 'sideBySide' | 'difference'
}[] = [
  { id: 'slider', icon: 'slider', word: 'slider' },
  { id: 'side', icon: 'side', word: 'sideBySide' },
  { id: 'difference', icon: 'difference', word: 'difference' },
]

export function Toolbar() {
  const words = strings.value
  return (
    <div class="toolbar" role="toolbar" aria-label={words.viewer}>
      <span class="segments">
        {modes.map(({ id, icon, word }) => (
          <button
            type="button"
            key={id}
            class="icon-button"
            aria-pressed={mode.value === id}
            aria-label={words[word]}
            title={words[word]}
            onClick={() => setMode(id)}
          >
            <Icon name={icon} />
          </button>
        ))}
      </span>
      <HoldButton />
      <span class="segments zooming">
        <IconButton icon="minus" label={words.zoomOut} act={() => zoomTo(view.value.zoom / 1.5)} />
        <ZoomInput />
        <IconButton icon="plus" label={words.zoomIn} act={() => zoomTo(view.value.zoom * 1.5)} />
        <IconButton icon="fit" label={words.fit} act={fitPicture} />
        <button type="button" class="icon-button text" onClick={() => zoomTo(1)}>
          {words.fullSize}
        </button>
      </span>
      <button
        type="button"
        class="icon-button"
        aria-pressed={isPixelated.value}
        aria-label={words.pixels}
        title={words.pixels}
        onClick={() => {
          isPixelated.value = !isPixelated.value
        }}
      >
        <Icon name="pixels" />
      </button>
      <CompareMenu />
    </div>
  )
}

/** Shows the original while it is pressed, by pointer or key. */
function HoldButton() {
  const { hold } = strings.value
  const set = (isDown: boolean) => () => {
    isHeld.value = isDown
  }
  const onKey = (isDown: boolean) => (event: KeyboardEvent) => {
    if (event.key === ' ' || event.key === 'Enter') isHeld.value = isDown
  }
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={hold}
      title={hold}
      aria-pressed={isHeld.value}
      onPointerDown={set(true)}
      onPointerUp={set(false)}
      onPointerLeave={set(false)}
      onPointerCancel={set(false)}
      onKeyDown={onKey(true)}
      onKeyUp={onKey(false)}
      onBlur={set(false)}
      onContextMenu={(event) => event.preventDefault()}
    >
      <Icon name="eye" />
    </button>
  )
}

function ZoomInput() {
  const percent = Math.round(100 * view.value.zoom)
  return (
    <input
      class="zoom"
      type="number"
      min="1"
      max="3200"
      aria-label={strings.value.zoom}
      value={percent}
      onChange={({ currentTarget }) => {
        const value = currentTarget.valueAsNumber
        if (value > 0) zoomTo(value / 100)
        currentTarget.value = String(Math.round(100 * view.value.zoom))
      }}
    />
  )
}

/** Picks a second model for the visible part. */
function CompareMenu() {
  const words = strings.value
  const chosen = modelChoice(settings.value, selected.value)
  const task = settings.value.mode === 'auto' ? 'photo' : settings.value.task
  const others = modelsFor(task).concat(modelsFor('denoise'), modelsFor('universal'))
  const options = [...new Map(others.map((card) => [card.id, card])).values()].filter(
    ({ id, scale }) => id !== chosen.id && (scale === 1) === (chosen.scale === undefined),
  )
  if (comparison.value)
    return (
      <button type="button" class="compact" onClick={endComparison}>
        <Icon name="close" />
        {words.endCompare}
      </button>
    )
  if (options.length === 0) return null
  return (
    <select
      class="compact"
      aria-label={words.compareModels}
      disabled={!before.value || isComparing.value}
      value=""
      onChange={({ currentTarget }) => {
        const { value } = currentTarget
        currentTarget.value = ''
        if (value) void compareModels(chosen, choiceOf(value, task, settings.value.scale))
      }}
    >
      <option value="">{words.compareWith}</option>
      {options.map(({ id }) => (
        <option key={id} value={id}>
          {id}
        </option>
      ))}
    </select>
  )
}
