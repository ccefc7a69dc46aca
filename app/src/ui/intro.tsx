// What a first visit shows.

import { hasServer, isRemote } from '../engine/place.ts'
import { openDemo, openFolder, openPhotos } from '../files/intake.ts'
import { install } from '../install.ts'
import { messageOf } from '../message.ts'
import { notify } from '../notices.ts'
import { forgetLastList, lastList, openLastList } from '../queue/storedList.ts'
import { strings } from '../strings.ts'
import { PlaceChoice } from './controls.tsx'
import { Icon } from './icons.tsx'

const demos = ['noise', 'jpeg', 'haze', 'small'] as const

/** Runs what a button starts, and tells if it fails. */
function run(action: () => Promise<void>): () => void {
  return () => void action().catch((error: unknown) => notify(messageOf(error)))
}

export function Intro() {
  const words = strings.value
  return (
    <main class="intro">
      <h2>{isRemote.value ? words.tagline : words.privateTagline}</h2>
      <p class="lead">
        {words.lead} {isRemote.value ? '' : words.stays}
      </p>
      {hasServer && <PlaceChoice />}
      <div class="actions">
        <button type="button" class="primary" onClick={run(openPhotos)}>
          <Icon name="photo" />
          {words.openPhotos}
        </button>
        <button type="button" onClick={run(openFolder)}>
          <Icon name="folder" />
          {words.openFolder}
        </button>
      </div>
      <p class="quiet or-drop">{words.orDrop}</p>
      {lastList.value.length > 0 && (
        <div class="last-list">
          <span>{words.lastList(lastList.value.length)}</span>
          <button type="button" onClick={run(openLastList)}>
            {words.restoreList}
          </button>
          <button type="button" class="plain" onClick={run(forgetLastList)}>
            {words.forget}
          </button>
        </div>
      )}
      <h3>{words.demos}</h3>
      <ul class="demos">
        {demos.map((name) => (
          <li key={name}>
            <button type="button" onClick={run(() => openDemo(name))}>
              <img src={`demos/${name}.jpg`} alt="" width="160" height="160" loading="lazy" />
              <span>{words.demo[name]}</span>
            </button>
          </li>
        ))}
      </ul>
      {install.value && (
        <button type="button" class="plain" onClick={run(install.value)}>
          {words.install}
        </button>
      )}
    </main>
  )
}
