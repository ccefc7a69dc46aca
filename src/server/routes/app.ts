// The app in the browser, at every address that no other route has.

import type { FastifyInstance } from 'fastify'
import { findPage, type PageFolders, pathParts, sendPage } from '../pages/pageFiles.ts'

export function appRoutes(app: FastifyInstance, folders: PageFolders): void {
  const bodies = new Map<string, Buffer>()
  app.get('/*', { schema: { hide: true }, helmet: false }, async (request, reply) => {
    const file = findPage(pathParts(request.url) ?? [], folders)
    if (!file) return reply.callNotFound()
    reply.hijack()
    reply.raw.setHeader('x-request-id', request.id)
    return sendPage(request.raw, reply.raw, { file, bodies, server: folders.server }).catch(() =>
      reply.raw.destroy(),
    )
  })
}
