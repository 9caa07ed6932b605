// A day that was: the server's clock is set by libfaketime (Debian's package), if that is there, and put right at the end.
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server } from './server.mjs'

const LIBRARY = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
  .map((system) => `/usr/lib/${system}/faketime/libfaketimeMT.so.1`)
  .find(existsSync)

// Whether a test can have a past, or why not.
export const noPast = LIBRARY ? false : 'libfaketime is not installed'

// What a server needs to begin `seconds` ago; `set` moves its clock on.
const past = (folder, seconds) => {
  const file = join(folder, 'clock')
  // In one step: to libfaketime an empty file is the time that it is.
  const set = (ago) => {
    writeFileSync(`${file}.new`, `-${ago}`)
    renameSync(`${file}.new`, file)
  }
  set(seconds)
  // What the server waits for by itself takes as long as ever.
  const env = { LD_PRELOAD: LIBRARY, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' }
  return { env, set }
}

// A server that `happens` was told to for a day, and whose clock is right again; one that begins now if that cannot be had.
export const afterADay = async (options, happens) => {
  if (noPast) return Server.start(options)
  let clock
  const server = await Server.start({ ...options, past: (folder) => (clock = past(folder, DAY)).env })
  await happens(server, clock)
  await server.halt()
  await server.run()
  return server
}

export const DAY = 24 * 3600
const STEP = 300

// The same numbers each time, so that pictures can be compared.
const dice = (seed) => () => {
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed / 2147483648
}

// How busy it is, from 0 at night to 1 at noon; whoever looks, looks in the afternoon.
const rush = (ago) => 0.15 + 0.85 * Math.max(0, Math.cos(((ago / 3600 - 4) / 12) * Math.PI))

const clean = async (server, pools) => {
  for (const [pool] of pools) {
    const { items } = await server.api('GET', `/v1/resources?pool=${pool}&state=dirty`)
    for (const { name } of items) await server.ask('PATCH', `/v1/resources/${name}`, { state: 'free' })
  }
}

// Has people and jobs lease from `pools` (name, size, minutes that a lease takes) for a day, wait for each other, and give
// back late, early or not at all.
export const live = async (server, clock, pools, seed = 7) => {
  const random = dice(seed)
  let held = []
  let waiting = []
  let build = 4200
  for (let ago = DAY; ago > 2 * STEP; ago -= STEP) {
    clock.set(ago)
    const over = held.filter(({ end }) => end >= ago)
    held = held.filter(({ end }) => end < ago)
    // Some never come back: their leases expire, and somebody cleans up.
    for (const { id } of over) if (random() > 0.05) await server.ask('DELETE', `/v1/leases/${id}`)
    if (ago % 3600 === 0) await clean(server, pools)
    for (const each of [...waiting]) {
      const { body } = await server.ask('GET', `/v1/requests/${each.id}?wait=1ms`)
      if (body.status === 'waiting') continue
      waiting = waiting.filter(({ id }) => id !== each.id)
      if (body.lease) held.push({ id: body.lease, end: ago - each.length })
    }
    for (const [pool, size, minutes] of pools) {
      if (random() > Math.min(0.9, (rush(ago) * size * STEP) / (minutes * 60))) continue
      const length = Math.round(minutes * 60 * (0.3 + 1.4 * random()))
      const owner = random() < 0.7 ? `ci-${build++}` : ['ann', 'bob', 'carla', 'dmitri'][Math.floor(random() * 4)]
      const purpose = owner.startsWith('ci') ? `PR ${build - 2400}` : 'trying something'
      const { status, body } = await server.ask('POST', '/v1/leases', { owner, pool, purpose, ttl: `${length + 900}s`, wait: '1ms' })
      if (status === 201) held.push({ id: body.id, end: ago - length })
      if (status === 202) waiting.push({ id: body.id, length })
    }
  }
  for (const { id } of waiting) await server.ask('DELETE', `/v1/requests/${id}`)
  for (const { id } of (await server.api('GET', '/v1/leases?limit=1000')).items) await server.api('DELETE', `/v1/leases/${id}`)
  await clean(server, pools)
}
