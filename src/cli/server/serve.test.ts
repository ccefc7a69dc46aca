import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, describe, expect, test } from 'vitest'
import { limpid } from '../../../test/limpid.ts'
import { killStarted, startProgram } from '../../../test/startedProgram.ts'

const dir = mkdtempSync(join(tmpdir(), 'limpid-serve-'))
const at = (...names: readonly string[]) => join(dir, ...names)
afterAll(() => {
  killStarted()
  rmSync(dir, { recursive: true, force: true })
})

/** Starts `limpid serve` on a free port and waits for its address. */
function serve(data: string, ...args: readonly string[]) {
  const ports = ['--port', '0', '--metrics-port', '0']
  return startProgram<{ address: string; metrics: string }>(
    'serve',
    ...ports,
    '--data',
    data,
    '--lease',
    '2s',
    ...args,
  )
}

async function noise(side: number): Promise<Buffer> {
  const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * i * 31) % 251)
  return sharp(data, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer()
}

async function stateOf(address: string, id: string): Promise<{ state: string; attempts: number }> {
  const answer = await fetch(`${address}/v1/jobs/${id}`)
  return (await answer.json()) as { state: string; attempts: number }
}

describe('limpid serve', { timeout: 180_000 }, () => {
  test('loses no accepted job and repeats no finished one when it is killed', async () => {
    const data = at('killed')
    let { address, child } = await serve(data)
    const put = (id: string, body: Buffer) =>
      fetch(`${address}/v1/jobs/${id}`, { method: 'PUT', body, headers: { 'content-type': 'image/png' } })
    await put('small', await noise(48))
    await expect
      .poll(() => stateOf(address, 'small'), { timeout: 60_000 })
      .toMatchObject({ state: 'succeeded' })
    expect((await put('big', await noise(500))).status).toBe(202)
    expect((await put('waiting', await noise(49))).status).toBe(202)
    await expect.poll(() => stateOf(address, 'big'), { timeout: 60_000 }).toMatchObject({ state: 'running' })
    child.kill('SIGKILL')
    await once(child, 'exit')
    const again = await serve(data)
    ;({ address, child } = again)
    for (const id of ['waiting', 'big'])
      await expect
        .poll(() => stateOf(address, id), { timeout: 120_000 })
        .toMatchObject({ state: 'succeeded' })
    expect(await stateOf(address, 'big')).toMatchObject({ attempts: 2 })
    expect(await stateOf(address, 'small')).toMatchObject({ attempts: 1 })
    const metrics = await (await fetch(again.metrics)).text()
    expect(metrics).toContain('limpid_jobs_total{state="succeeded",model="auto"} 2')
    child.kill('SIGTERM')
    expect((await once(child, 'exit'))[0]).toBe(0)
  })

  test('takes settings from options, variables and a file, and names the wrong one', async () => {
    writeFileSync(at('config.json'), JSON.stringify({ keep: '3 parsecs', jobs: 0 }))
    const fromFile = await limpid('serve', '--config', at('config.json'), '--jobs', '2')
    expect(fromFile).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        `${at('config.json')}: keep: expected a number with one of ms, s, m, h, d, such as 90s, got "3 parsecs"`,
      ),
    })
    const fromOption = await limpid('serve', '--port', '99999')
    expect(fromOption).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--port: .*65535.*got "99999"/),
    })
  })

  test('computes on the device that is named', async () => {
    const { address, child } = await serve(at('device'), '--device', 'abacus')
    for (const path of ['restore', 'detect']) {
      const body = await noise(48)
      const answer = await fetch(`${address}/v1/${path}`, {
        ...{ method: 'POST', body, headers: { 'content-type': 'image/png' } },
      })
      expect(await answer.json()).toMatchObject({ detail: expect.stringMatching(/^device: .*abacus/) })
    }
    child.kill('SIGTERM')
    await once(child, 'exit')
  })

  test('stays on this machine unless there are keys', async () => {
    const open = await limpid('serve', '--host', '0.0.0.0', '--port', '0', '--data', at('open'))
    expect(open).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--host: expected keys for an address beyond this machine'),
    })
  })

  test('a key is printed once', async () => {
    const made = await limpid('key', 'website', '--keys', at('keys.json'))
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^limpid_[\w-]{43}\n$/) })
    const again = await limpid('key', 'website', '--keys', at('keys.json'))
    expect(again).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('expected a new name, got website'),
    })
    writeFileSync(at('broken.json'), '[{}]')
    const broken = await limpid('serve', '--keys', at('broken.json'), '--port', '0', '--data', at('broken'))
    expect(broken).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('broken.json: expected keys as limpid key writes them'),
    })
  })
})
