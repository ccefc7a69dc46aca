// What was found in a photo; each kind can be left as it is.

import type { Item } from '../queue/item.ts'
import { retryItem } from '../queue/queue.ts'
import { strings } from '../strings.ts'

/** Severities from which on damage is called medium, and severe. */
const [medium, severe] = [0.35, 0.65]

function wordOf(severity: number): 'slight' | 'medium' | 'severe' {
  if (severity < medium) return 'slight'
  return severity < severe ? 'medium' : 'severe'
}

export function Chips({ item }: { item: Item }) {
  const words = strings.value
  const found = item.found.value
  if (!found) return null
  if (found.length === 0) return <p class="hint">{words.untouched}</p>
  const never = item.never.value
  const toggle = (damage: string) => {
    item.never.value = never.includes(damage) ? never.filter((one) => one !== damage) : [...never, damage]
    retryItem(item)
  }
  return (
    <div>
      <p class="field-label" id="found">
        {words.found}
      </p>
      {/* biome-ignore lint/a11y/useSemanticElements: buttons, each with its own state */}
      <div class="chips" role="group" aria-labelledby="found">
        {found.map(({ damage, severity }) => (
          <button
            type="button"
            key={damage}
            class="chip"
            aria-pressed={!never.includes(damage)}
            onClick={() => toggle(damage)}
          >
            {words.damages[damage] ?? damage} · {words.severity[wordOf(severity)]}
          </button>
        ))}
      </div>
      <p class="hint">{words.leave}</p>
    </div>
  )
}
