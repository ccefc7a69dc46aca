// Work on the rows of a picture in bands, so that a long loop does not hold up the process it runs in.

/** Pixels of a band. */
const bandPixels = 2 ** 18

/** Bands of rows from the top down, between which others have their turn. */
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

/** Lets others have their turn. Pages in the background are held up by timers, and not by messages. */
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
