// A client that a library makes of the server's description, as others do in their languages.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OpenAPIClientAxios } from 'openapi-client-axios'
import sharp from 'sharp'
import { afterAll, expect, test } from 'vitest'
import { startTestServer } from '../../test/server.ts'
import { packageFolder } from '../data/packageFiles.ts'

const folder = mkdtempSync(join(tmpdir(), 'limpid-generated-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a client made of the description does a job from the picture to its result', {
  timeout: 120_000,
}, async () => {
  const server = await startTestServer(folder)
  try {
    const api = new OpenAPIClientAxios({
      definition: `${server.address}/openapi.json`,
      withServer: { url: server.address },
      // Problems are answers, too.
      axiosConfigDefaults: { validateStatus: () => true },
    })
    const client = await api.init()
    const bodies = api.getOperation('postJobs')?.requestBody
    expect(bodies).toMatchObject({ required: false, content: { 'image/*': {}, 'multipart/form-data': {} } })
    const photo = readFileSync(join(packageFolder(), 'examples', 'noisy.jpg'))
    const picture = await sharp(photo).resize(48, 40).png().toBuffer()
    const { data: made } = await client.postJobs!({ task: 'photo', format: 'jpg' }, picture, {
      headers: { 'content-type': 'image/png' },
    })
    await expect.poll(async () => (await client.getJobsId!(made)).data).toMatchObject({ state: 'succeeded' })
    const { data: result } = await client.getJobsIdResult!(made, null, { responseType: 'arraybuffer' })
    const { format, width, height } = await sharp(result).metadata()
    expect({ format, width, height }).toEqual({ format: 'jpeg', width: 48, height: 40 })
    const { data: problem, status } = await client.getJobsId!({ id: 'absent' })
    expect([status, problem.code]).toEqual([404, 'not-found'])
    const form = new FormData()
    form.append('settings', JSON.stringify({ task: 'photo' }))
    for (const name of ['a', 'b']) form.append('pictures', new Blob([picture]), name)
    const { data: batch } = await client.postBatches!({}, form)
    expect(batch.jobs).toHaveLength(2)
  } finally {
    await server.stop(0)
  }
})
