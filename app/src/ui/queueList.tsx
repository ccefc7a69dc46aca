// The list of photos. Only the rows in sight are drawn, so that it may be long.

import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { openPhotos } from '../files/intake.ts'
import { canSaveFolder, saveFolder, saveZip } from '../files/save.ts'
import type { Item } from '../queue/item.ts'
import {
  cancelItem,
  clearItems,
  doneCount,
  isOutdated,
  items,
  removeItem,
  retryItem,
  selectedId,
} from '../queue/queue.ts'
import { strings } from '../strings.ts'
import { Icon, IconButton } from './icons.tsx'
import { queueTimeText, shareOf, stateText } from './stateText.ts'

/** Height of a row in CSS pixels, as in the style sheet. */
const rowPx = 60
/** Rows beyond the edges, for scrolling. */
const spareRows = 4

export function QueueList() {
  const words = strings.value
  const list = useRef<HTMLDivElement>(null)
  const top = useSignal(0)
  const height = useSignal(600)
  useEffect(() => {
    const element = list.current
    if (!element) return
    const observer = new ResizeObserver(() => {
      height.value = element.clientHeight
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [height])
  const all = items.value
  const first = Math.max(Math.floor(top.value / rowPx) - spareRows, 0)
  const count = Math.ceil(height.value / rowPx) + 2 * spareRows
  const time = queueTimeText()
  return (
    <section class="queue" aria-label={words.queue}>
      <div class="queue-head">
        <span>
          {words.photosOf(doneCount.value, all.length)}
          {time && <span class="quiet"> · {time}</span>}
        </span>
        <IconButton icon="add" label={words.addMore} act={() => void openPhotos()} />
      </div>
      <div
        class="rows"
        ref={list}
        onScroll={({ currentTarget }) => {
          top.value = currentTarget.scrollTop
        }}
      >
        <ul style={{ height: `${all.length * rowPx}px` }}>
          {all.slice(first, first + count).map((item, i) => (
            <Row
              key={item.id}
              item={item}
              topPx={(first + i) * rowPx}
              place={first + i + 1}
              count={all.length}
            />
          ))}
        </ul>
      </div>
      {all.length > 1 && (
        <div class="queue-foot">
          <button type="button" disabled={doneCount.value === 0} onClick={() => void saveZip()}>
            <Icon name="save" />
            {words.saveAll}
          </button>
          {canSaveFolder && (
            <button type="button" disabled={doneCount.value === 0} onClick={() => void saveFolder()}>
              <Icon name="folder" />
              {words.saveFolder}
            </button>
          )}
          <button type="button" class="plain" onClick={clearItems}>
            {words.clear}
          </button>
        </div>
      )}
    </section>
  )
}

interface RowProps {
  readonly item: Item
  readonly topPx: number
  readonly place: number
  readonly count: number
}

function Row({ item, topPx, place, count }: RowProps) {
  const isSelected = item.id === selectedId.value
  const share = shareOf(item)
  const { kind } = item.state.value
  return (
    <li class={`row ${kind}`} style={{ top: `${topPx}px` }} aria-posinset={place} aria-setsize={count}>
      <button
        type="button"
        class="row-main"
        aria-current={isSelected}
        onClick={() => {
          selectedId.value = item.id
        }}
      >
        {item.thumbnail.value ? (
          <img class="thumbnail" src={item.thumbnail.value} alt="" />
        ) : (
          <span class="thumbnail">
            <Icon name="photo" />
          </span>
        )}
        <span class="row-text">
          <span class="row-name" title={`${item.folder}${item.name}`}>
            {item.name}
          </span>
          <span class="row-state">{stateText(item)}</span>
        </span>
      </button>
      <RowAction item={item} />
      {kind === 'working' && (
        <span class="row-progress" style={share === undefined ? {} : { width: `${100 * share}%` }} />
      )}
    </li>
  )
}

function RowAction({ item }: { item: Item }) {
  const words = strings.value
  const { kind } = item.state.value
  const isActive = kind === 'waiting' || kind === 'working'
  const isAgain = kind === 'failed' || kind === 'canceled' || isOutdated(item)
  return (
    <span class="row-actions">
      {isAgain && (
        <IconButton icon="retry" label={`${words.retry}: ${item.name}`} act={() => retryItem(item)} />
      )}
      {isActive ? (
        <IconButton icon="close" label={`${words.cancel}: ${item.name}`} act={() => cancelItem(item)} />
      ) : (
        <IconButton icon="close" label={`${words.remove}: ${item.name}`} act={() => removeItem(item)} />
      )}
    </span>
  )
}
