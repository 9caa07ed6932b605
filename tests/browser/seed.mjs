// Servers to look at: an empty one, a small laboratory at work, one where everything is large or hostile.
import { afterADay, live, noPast } from './day.mjs'
import { pages } from './pages.mjs'
import { Server, until } from './server.mjs'

// What somebody might write to break a page: markup, both kinds of quotes, an override of the direction of text,
// terminal codes, and a word that fits nowhere.
export const HOSTILE = `<script>alert(1)</script><img src=x onerror=alert(2)>"'\u202e\u001b[31m`
export const LONG = 'w'.repeat(4000)

const LAB = `resources:
- {type: gpu, state: free, names: [gpu-1, gpu-2, gpu-3, gpu-4, gpu-5, gpu-6], labels: {site: ber, memory: 80g}, default-ttl: 30m, max-ttl: 24h,
   targets: {gpu-1: {fqdn: gpu-1.lab.example.com, ipv4: 192.0.2.11}}}
- {type: board-imx8, state: free, names: [imx8-1, imx8-2, imx8-3], labels: {arch: arm64}, on-expire: dirty}
- {type: cloud-project, state: dirty, names: [prj-a, prj-b, prj-c, prj-d]}
- {type: phone, state: free, names: [pixel-7, pixel-8]}
- {type: vm-small, state: free, min-count: 2, max-count: 6, lifespan: 24h}
`

// So that who waits need not be at the other end of a connection.
const flags = ['--request-ttl', '10m']

const lease = (server, body) => server.api('POST', '/v1/leases', body)

export const empty = () => Server.start()

// A laboratory in the middle of a day, with the day before it. `owner` holds and waits like everybody else.
export const lab = async (owner = 'ann') => {
  const pools = [['gpu', 6, 50], ['board-imx8', 3, 35], ['phone', 2, 20]]
  const server = await afterADay({ pools: LAB, flags }, (server, clock) => live(server, clock, pools))
  for (let round = 0; round < 6; round++) {
    const past = await lease(server, { owner: `ci-${4700 + round}`, pool: round % 2 ? 'gpu' : 'board-imx8', ttl: '10m', purpose: 'nightly' })
    await server.api('DELETE', `/v1/leases/${past.id}?owner=${past.owner}`)
  }
  const mine = await lease(server, { owner, pool: 'gpu', ttl: '25m', purpose: 'bisecting the driver crash' })
  await lease(server, { owner, pool: 'phone', count: 2, ttl: '4m', purpose: 'screenshots for the release' })
  for (const [index, purpose] of ['nightly soak', 'PR 1812', 'PR 1815', 'kernel 6.12', 'benchmark'].entries()) {
    await lease(server, { owner: `ci-${4711 + index}`, pool: 'gpu', ttl: `${40 + 20 * index}m`, purpose })
  }
  await lease(server, { owner: 'bob', pool: 'board-imx8', purpose: 'bring-up' , ttl: '3h' })
  await server.api('PATCH', '/v1/resources/imx8-3', { cordon: { message: 'fan broken, Ann is on it', until: '20h' } })
  await lease(server, { owner: 'ci-4720', pool: 'gpu', count: 2, wait: '1ms', purpose: 'PR 1820' })
  await lease(server, { owner, pool: 'phone', wait: '1ms', purpose: 'one more run' })
  const { id: wait } = await lease(server, { owner: 'carla', pool: 'gpu', wait: '1ms', priority: 5, labels: { site: 'ber' }, purpose: 'demo at noon' })
  const { items: [event] } = await server.api('GET', '/v1/events?filter=kind:lease-granted&order=desc&limit=1')
  const works = { 'request-over': '/queue/1' }
  return { server, paths: pages({ lease: mine.id, wait, event: event.id, window: '24h', works: noPast ? {} : works }) }
}

export const hostile = async () => {
  const server = await Server.start({ pools: LAB, flags })
  const name = `a/b ${HOSTILE}`.slice(0, 200)
  await server.api('PUT', `/v1/resources/${encodeURIComponent(name)}`, {
    pool: HOSTILE.slice(0, 60),
    labels: { site: HOSTILE.slice(0, 60) },
    user_data: { note: HOSTILE },
  })
  await lease(server, { owner: HOSTILE, targets: [name], purpose: HOSTILE })
  await lease(server, { owner: `${HOSTILE} 2`, targets: [name], wait: '1ms', purpose: HOSTILE })
  await lease(server, { owner: 'w'.repeat(500), pool: 'gpu', purpose: LONG })
  await server.api('PATCH', '/v1/resources/gpu-2', { cordon: { message: HOSTILE + LONG } })
  return { server, name, pool: HOSTILE.slice(0, 60) }
}

// Jobs in several phases of real target managers, with hostile texts wherever somebody can put one.
export const workshop = async () => {
  const server = await Server.start({ pools: LAB, flags })
  const list = (name) => server.install(name, 'target-list', { grants: { locker: true }, settings: { note: HOSTILE + LONG } })
  const plugin = 'w'.repeat(64)
  for (const name of ['list', 'off', plugin]) await list(name)
  const job = (manager, targets, owner = HOSTILE) =>
    server.api('POST', '/v1/jobs?wait=20s', {
      target_manager: manager,
      owner,
      acquire_parameters: { Targets: targets.map((ID) => ({ ID, FQDN: HOSTILE })) },
      release_parameters: {},
    })
  const leased = await job(plugin, [HOSTILE, `${HOSTILE} 2`, 'w'.repeat(400)])
  const failed = await job('list', [HOSTILE])
  const over = await job('list', ['bench-1'], 'ann')
  await server.api('DELETE', `/v1/jobs/${over.id}?wait=20s&reason=${encodeURIComponent(HOSTILE)}`)
  const stuck = await job('off', ['bench-2'], 'ann')
  await server.api('POST', '/v1/plugins/off/disable')
  await server.api('DELETE', `/v1/jobs/${stuck.id}`)
  await until('the job is stuck', async () => (await server.api('GET', `/v1/jobs/${stuck.id}`)).phase === 'stuck')
  const works = {
    'job-leased': `/jobs/${leased.id}`,
    'job-failed': `/jobs/${failed.id}`,
    'job-over': `/jobs/${over.id}`,
    'job-stuck': `/jobs/${stuck.id}`,
    'jobs-over': '/jobs?q=is:over',
    plugin: '/plugins/list',
    install: `/components/${(await server.api('GET', '/v1/plugins/list')).digest}?name=again`,
    target: `/resources/${encodeURIComponent(HOSTILE)}`,
    'plugin-off': '/plugins/off',
    'plugin-long': `/plugins/${plugin}`,
    'not-a-plugin': '/plugins/nonsense',
  }
  return { server, paths: pages({ lease: 1, event: 25, works }) }
}

// 10,000 resources in 20 pools, half of them leased, and 200 who wait.
export const crowd = async () => {
  const pools = Array.from({ length: 20 }, (_, pool) => {
    const names = Array.from({ length: 500 }, (_, index) => `host-${String(pool).padStart(2, '0')}-${String(index).padStart(3, '0')}`)
    return `- {type: pool-${String(pool).padStart(2, '0')}, state: free, names: [${names.join(', ')}], labels: {rack: r${pool % 7}}}`
  })
  const server = await Server.start({ pools: `resources:\n${pools.join('\n')}\n`, flags })
  const jobs = Array.from({ length: 5000 }, (_, index) => index)
  const worker = async () => {
    for (let index = jobs.pop(); index !== undefined; index = jobs.pop()) {
      const pool = `pool-${String(index % 20).padStart(2, '0')}`
      await lease(server, { owner: `ci-${index % 300}`, pool, ttl: `${1 + (index % 9)}h`, purpose: `build ${index}` })
    }
  }
  await Promise.all(Array.from({ length: 32 }, worker))
  for (let index = 0; index < 200; index++) {
    await lease(server, { owner: `wait-${index}`, pool: `pool-${String(index % 5).padStart(2, '0')}`, count: 400, wait: '1ms' })
  }
  return server
}
