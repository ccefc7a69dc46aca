// The browser's Cache Storage, as far as it is used: pages and workers share it.

/** Stored responses by address. */
export interface StoredResponses {
  match(address: string): Promise<Response | undefined>
  put(address: string, response: Response): Promise<void>
  delete(address: string): Promise<boolean>
  keys(): Promise<readonly { readonly url: string }[]>
}

/** The part of `caches` that is used. */
export interface Caches {
  open(name: string): Promise<StoredResponses>
}

/** Opens a cache; undefined where the browser has none, as in insecure contexts, or allows none. */
export async function openCache(name: string): Promise<StoredResponses | undefined> {
  const caches: Caches | undefined = Reflect.get(globalThis, 'caches')
  return caches?.open(name).catch(() => undefined)
}
