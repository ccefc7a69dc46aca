// The engine in this page: limpid/web in a worker.

import {
  createEngine,
  type EngineRequest,
  type Engine as PhotoEngine,
  type RestoredTile,
  type WebResult,
} from 'limpid/web'
import type { Readable } from '../files/readable.ts'
import { type Layer, layerOf, type Piece } from '../viewer/layers.ts'
import type { Rectangle, Size } from '../viewer/view.ts'
import {
  type Engine,
  foundIn,
  type ModelChoice,
  type Output,
  type Restored,
  type RunEvents,
  type StoredModel,
} from './engine.ts'

/** Folder of ONNX Runtime's files, beside the page. */
declare const RUNTIME_FOLDER: string

export class WebEngine implements Engine {
  readonly #engine: PhotoEngine = createEngine({
    worker: () => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }),
    wasmPaths: new URL(RUNTIME_FOLDER, document.baseURI),
    weightsFolder: new URL('weights/', document.baseURI),
    modelsFolder: new URL('models/', document.baseURI),
  })

  /** Converts a file that the browser does not read. */
  convert(file: File): Promise<Readable> {
    return this.#engine.convert(file, { name: file.name })
  }

  async decode(file: Blob): Promise<Layer> {
    const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' })
    try {
      return await layerOf(bitmap)
    } finally {
      bitmap.close()
    }
  }

  async restore(file: Blob, name: string, choice: ModelChoice, events: RunEvents): Promise<Restored> {
    const { onPiece } = events
    const onTile = onPiece && ((tile: RestoredTile) => void pieceOf(tile, choice.scale ?? 1).then(onPiece))
    const result = await this.#engine.run(file, { name, onTile, ...requestOf(choice, events) })
    return restoredOf(result, file)
  }

  async preview(file: Blob, part: Rectangle, choice: ModelChoice, events: RunEvents): Promise<Layer> {
    const { x: left, y: top, width, height } = part
    const region = { left, top, width, height }
    const result = await this.#engine.run(file, { ...requestOf(choice, events), region })
    const { pieces } = await layerOf(result.toImageData(), part)
    return { ...part, pieces: pieces.map((piece) => ({ ...piece, x: piece.x + left, y: piece.y + top })) }
  }

  async storedModels(): Promise<readonly StoredModel[]> {
    const { weights } = this.#engine
    return (await weights.list()).map(({ name, sizeBytes, sha256 }) => ({
      ...{ name, sizeBytes },
      delete: async () => {
        await weights.delete(sha256)
      },
    }))
  }

  persist(): Promise<boolean> {
    return this.#engine.weights.persist()
  }
}

/** A request of limpid/web. */
function requestOf(choice: ModelChoice, { signal, onProgress }: RunEvents): EngineRequest {
  const { id, task, file, scale, never, damage } = choice
  const events: Pick<EngineRequest, 'signal' | 'onProgress'> = {
    signal,
    onProgress: ({ phase, ...progress }) =>
      onProgress({ ...progress, phase: phase === 'open' ? 'fetch' : phase }),
  }
  if (id === 'auto') return { task: 'auto', never, damage, ...events }
  return file ? { weights: file, ...events } : { model: id, task, scale, ...events }
}

/** A part of a result in coordinates of the original. */
async function pieceOf({ left, top, width, height, data }: RestoredTile, scale: number): Promise<Piece> {
  const bitmap = await createImageBitmap(new ImageData(data, width, height))
  return { x: left / scale, y: top / scale, width: width / scale, height: height / scale, bitmap }
}

function restoredOf(result: WebResult, file: Blob): Restored {
  const { width, height, scale, model, device, seconds, notes, repair } = result.info
  const original: Size = { width: Math.round(width / scale), height: Math.round(height / scale) }
  return {
    ...{ width, height, model, device, notes, seconds: seconds.restore },
    found: repair && foundIn(repair),
    isOriginal: result.original !== undefined,
    layer: () => layerOf(result.toImageData(), original),
    encode: (output) => encoded(result, file, output),
  }
}

const strips = { keep: false, 'no-place': 'location', none: true } as const

async function encoded(result: WebResult, file: Blob, output: Output): Promise<Blob> {
  const { type, quality, strength, metadata } = output
  const isKept = result.original?.type === type && metadata === 'keep'
  if (result.original && isKept) return result.original
  const blended = strength < 1 ? await result.blendedWith(file, strength) : result
  return blended.toBlob({
    ...{ type, quality: quality / 100, strip: strips[metadata] },
    ...(type === 'image/jpeg' ? { background: 'white' } : {}),
  })
}
