// Processes the rows of an image in bands, yielding to the event loop between them.

/** Pixels per band. */
const bandPixels = 2 ** 18

/** Calls `use` for bands of rows from the top down, and yields to the event loop after each. */
export async function inBands(
  { width, height }: { readonly width: number; readonly height: number },
  use: (top: number, rows: number) => void,
): Promise<void> {
  const rows = Math.max(1, Math.floor(bandPixels / width))
  for (let top = 0; top < height; top += rows) {
    use(top, Math.min(rows, height - top))
    await nextTurn()
  }
}

/** Yields to the event loop. Browsers throttle timers in background tabs, but not messages. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    const onMessage = () => {
      port1.close()
      resolve()
    }
    port1.addEventListener('message', onMessage)
    port1.start()
    port2.postMessage(undefined)
  })
}
