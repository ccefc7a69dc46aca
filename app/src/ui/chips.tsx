// What was found in a photo; each kind can be left as it is.

import { batch } from '@preact/signals'
import type { Found } from '../engine/engine.ts'
import type { Item } from '../queue/item.ts'
import { retryItem } from '../queue/queue.ts'
import { strings } from '../strings.ts'

/** Severities from which on damage is called medium, and severe. */
const [medium, severe] = [0.35, 0.65]

function wordOf(severity: number): 'slight' | 'medium' | 'severe' {
  if (severity < medium) return 'slight'
  return severity < severe ? 'medium' : 'severe'
}

/** Whether damage is treated: what was left as it is only if a person wants it. */
function isTreated(item: Item, { damage, isOffered }: Found): boolean {
  return item.wanted.value.includes(damage) || !(isOffered || item.never.value.includes(damage))
}

function without(list: readonly string[], damage: string): readonly string[] {
  return list.filter((one) => one !== damage)
}

function toggle(item: Item, one: Found): void {
  const { damage, isOffered } = one
  const { never, wanted } = item
  const isWanted = wanted.value.includes(damage)
  const wasTreated = isTreated(item, one)
  batch(() => {
    never.value = without(never.value, damage)
    wanted.value = without(wanted.value, damage)
    if (wasTreated && !isWanted) never.value = [...never.value, damage]
    if (!wasTreated && isOffered) wanted.value = [...wanted.value, damage]
  })
  retryItem(item)
}

export function Chips({ item }: { item: Item }) {
  const words = strings.value
  const found = item.found.value
  if (!found) return null
  if (found.length === 0) return <p class="hint">{words.untouched}</p>
  const isOn = (one: Found) => isTreated(item, one)
  return (
    <div>
      <p class="field-label" id="found">
        {words.found}
      </p>
      {/* biome-ignore lint/a11y/useSemanticElements: buttons, each with its own state */}
      <div class="chips" role="group" aria-labelledby="found">
        {found.map((one) => (
          <button
            type="button"
            key={one.damage}
            class="chip"
            aria-pressed={isOn(one)}
            onClick={() => toggle(item, one)}
          >
            {words.damages[one.damage] ?? one.damage} · {words.severity[wordOf(one.severity)]}
          </button>
        ))}
      </div>
      <p class="hint">{found.every(isOn) ? words.leave : words.leaveOrTreat}</p>
    </div>
  )
}
