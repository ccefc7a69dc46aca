// What the caller decides about the damage that is treated.

import { RestoreError } from '../../core/errors.ts'
import { unknownName } from '../../core/unknownName.ts'
import { type DamageId, damageIds } from '../../models/damages.ts'

/** Options that override what was found. */
export interface OverrideRequest {
  /** Damage that is treated if it is found; no other. */
  readonly only?: readonly string[] | undefined
  /** Damage that is never treated. */
  readonly never?: readonly string[] | undefined
  /** Damage that is treated in any case. */
  readonly damage?: readonly string[] | undefined
}

/** Checked overrides; without an option, its list is empty. */
export interface Overrides {
  readonly only: readonly DamageId[]
  readonly never: readonly DamageId[]
  readonly damage: readonly DamageId[]
}

/**
 * Checks overrides.
 * @throws RestoreError 'usage' for unknown damage, which lists the known, and for options that contradict each
 * other
 */
export function checkOverrides({ only, never, damage }: OverrideRequest): Overrides {
  const checked = {
    only: namesOf('only', only),
    never: namesOf('never', never),
    damage: namesOf('damage', damage),
  }
  refuseCommon('never', checked.never, 'only', checked.only)
  refuseCommon('never', checked.never, 'damage', checked.damage)
  const outside = checked.only.length > 0 && checked.damage.find((one) => !checked.only.includes(one))
  if (outside)
    throw new RestoreError(
      'usage',
      `only: expected ${outside} among it, as damage names it, got ${checked.only.join(', ')}; add it, or leave only out`,
    )
  return checked
}

function namesOf(option: string, names: readonly string[] | undefined): readonly DamageId[] {
  if (names === undefined) return []
  if (names.length === 0)
    throw new RestoreError('usage', `${option}: expected one or more of ${damageIds.join(', ')}, got none`)
  return names.map((name) => {
    const found = damageIds.find((id) => id === name)
    if (found) return found
    throw unknownName('damage', name, damageIds)
  })
}

function refuseCommon(a: string, first: readonly DamageId[], b: string, second: readonly DamageId[]): void {
  const common = first.find((one) => second.includes(one))
  if (common === undefined) return
  throw new RestoreError(
    'usage',
    `${a}: expected other damage than in ${b}, got ${common} in both; leave it out of one`,
  )
}
