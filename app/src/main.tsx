// Starts the app.

import { effect } from '@preact/signals'
import { render } from 'preact'
import { chosenEngine } from './engine/chosenEngine.ts'
import { findModel, modelsFor } from './engine/models.ts'
import { place } from './engine/place.ts'
import { ServerEngine } from './engine/serverEngine.ts'
import { WebEngine } from './engine/webEngine.ts'
import { takeDropped, takePasted, takeShared } from './files/intake.ts'
import { messageOf } from './message.ts'
import { log, notify } from './notices.ts'
import { startServiceWorker } from './offline.ts'
import { doneCount, hasWorkUndone, items, ownModel, startQueue } from './queue/queue.ts'
import { rememberList } from './queue/storedList.ts'
import { change, settings } from './settings.ts'
import { language, strings } from './strings.ts'
import { App, isDragging } from './ui/app.tsx'
import { startSettings } from './ui/settingsDialog.tsx'
import { previewFirst, showPiece, startViewer } from './viewer/shown.ts'

const report = (error: unknown) => notify(messageOf(error))

effect(() => {
  document.documentElement.lang = language.value
  document.documentElement.dataset.theme = settings.value.theme
})
effect(() => {
  document.title = hasWorkUndone.value ? `${doneCount.value}/${items.value.length} · Limpid` : 'Limpid'
})

const hasFiles = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes('Files') === true

addEventListener('dragover', (event) => {
  if (!hasFiles(event)) return
  event.preventDefault()
  isDragging.value = true
})
addEventListener('dragleave', ({ relatedTarget }) => {
  if (relatedTarget === null) isDragging.value = false
})
addEventListener('drop', (event) => {
  isDragging.value = false
  if (!hasFiles(event) || !event.dataTransfer) return
  event.preventDefault()
  takeDropped(event.dataTransfer).catch(report)
})
addEventListener('paste', ({ clipboardData }) => {
  if (clipboardData && clipboardData.files.length > 0) takePasted(clipboardData)
})
addEventListener('beforeunload', (event) => {
  if (hasWorkUndone.value) event.preventDefault()
})
addEventListener('unhandledrejection', ({ reason }) => log(messageOf(reason)))

const browser = new WebEngine()
const server = new ServerEngine(browser)
const engine = chosenEngine({ browser, server })
effect(() => {
  if (place.value === 'server') server.listModels().catch(report)
})
effect(() => {
  // A model that the other place has alone.
  const { task, model } = settings.value
  const [first] = modelsFor(task)
  if (first && !findModel(model) && ownModel.value?.name !== model) change({ model: first.id })
})
startViewer(engine)
startSettings(engine)
effect(() => {
  // Once somebody has used the app, its models are worth keeping.
  if (doneCount.value === 1) void engine.persist()
})
startQueue({ engine, beforeRestoring: previewFirst, showPiece })
const root = document.querySelector('#app')
if (root) render(<App />, root)
if (!crossOriginIsolated) log(strings.value.noThreads)
void startServiceWorker()
void rememberList()
takeShared().catch(report)
