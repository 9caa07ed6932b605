// What is said of the past: charts of who held what, ranges of time, files, and what went wrong.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { launch, visit } from './browser.mjs'
import { Server, until } from './server.mjs'

const names = (prefix, count) => Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(2, '0')}`)
const POOLS = `resources:
- {type: gpu, state: free, names: [gpu-1, gpu-2]}
- {type: busy, state: free, names: [${names('busy', 60).join(', ')}]}
`
// More than a page or a file of ten thousand rows looks at.
const MANY = 10_100
const LATER = `${POOLS}- {type: many, state: free, names: [${names('many', MANY).join(', ')}]}
`

describe('the past', () => {
  let browser, server, page, troubles
  before(async () => {
    server = await Server.start({ pools: POOLS })
    browser = await launch()
    ;({ page, troubles } = await visit(browser, server, { owner: 'ann', timezoneId: 'Asia/Kolkata', locale: 'en-GB' }))
  })
  after(async () => {
    await browser?.close()
    await server?.close()
  })

  const lease = (body) => server.api('POST', '/v1/leases', body)
  const release = ({ id }, ...targets) =>
    server.api('POST', `/v1/leases/${id}/release`, targets.length ? { targets } : {})
  const rows = async (file) => (await (await fetch(server.url + file)).text()).trim().split('\r\n').length - 1
  const table = () => page.locator('section details table tbody tr')

  test('a target that was given back early was held until then', async () => {
    const both = await lease({ owner: 'ann', targets: ['gpu-1', 'gpu-2'] })
    await release(both, 'gpu-1')
    await lease({ owner: 'bob', targets: ['gpu-1'] })
    for (const path of ['/resources/gpu-1?window=1h', '/pools/gpu?window=1h']) {
      await page.goto(path)
      await page.getByText('as a table').click()
      const [, ann] = (await server.api('GET', '/v1/events?target=gpu-1&filter=kind:lease-reduced')).items[0].at.split('T')
      const told = (await table().allInnerTexts()).filter((text) => text.includes('gpu-1'))
      assert.equal(told.length, 2, told.join('\n'))
      assert.match(told[0], /bob/)
      assert.match(told[1], /ann.*released/s)
      const ended = await table().filter({ hasText: 'released' }).locator('time').last().getAttribute('datetime')
      assert.equal(ended.slice(11, 19), ann.slice(0, 8))
    }
  })

  test('a busy hour is drawn in few bars, and none of it is left out', async () => {
    const members = names('busy', 50)
    const worker = async (targets) => {
      for (const target of targets) for (let n = 0; n < 20; n++) await release(await lease({ owner: `ci-${n}`, targets: [target] }))
    }
    await Promise.all(names('', 10).map((_, index) => worker(members.slice(index * 5, index * 5 + 5))))
    const answer = await fetch(`${server.url}/pools/busy?window=1h`)
    const html = await answer.text()
    for (const words of ['1000 leases on 50 targets', 'Dotted is more than one lease']) assert.ok(html.includes(words), words)
    const size = gzipSync(html).length
    assert.ok(size < 15_000, `${size} bytes`)
    await page.goto('/pools/busy?window=1h')
    assert.equal(await page.locator('svg.gantt .lane').count(), 50)
    await page.getByRole('link', { name: 'The next of 60' }).click()
    assert.equal(await page.locator('svg.gantt .lane').count(), 10)
    await page.getByRole('link', { name: 'The first' }).click()
    assert.equal(await page.locator('svg.gantt .lane').count(), 50)
  })

  test('what does not fit in a chart is hatched, and said', async () => {
    for (let n = 0; n < 600; n++) await release(await lease({ owner: 'ci', targets: ['busy-55'] }))
    await page.goto('/resources/busy-55?window=1h')
    assert.equal(await page.locator('svg.gantt .unknown').count(), 1)
    assert.ok(await page.getByText('Hatched is the time').isVisible())
    await page.getByText('as a table').click()
    assert.match(await page.locator('section details caption').innerText(), /400 more in the chart/)
  })

  test('times stand on the page, and are of whoever looks', async () => {
    await page.goto('/events?q=kind:pool-created')
    const time = page.locator('td[data-label=When] time[data-at]').first()
    const at = await time.getAttribute('datetime')
    const [day, clock] = (await time.innerText()).split(', ')
    const local = new Date(Date.parse(at) + 5.5 * 3_600_000).toISOString()
    assert.deepEqual([day, clock], [local.slice(0, 10).split('-').reverse().join('/'), local.slice(11, 19)])
    await page.goto('/resources/gpu-1?window=1h')
    assert.doesNotMatch(await page.locator('svg.gantt title').first().textContent(), /T\d\d:/)
  })

  test('a range of time is found at once, and a file has all of it', async () => {
    const { id: before, at: edge } = (await server.api('GET', '/v1/events?order=desc&limit=1')).items[0]
    writeFileSync(server.pools, LATER)
    server.child.kill('SIGHUP')
    await until('the pool is there', async () => (await server.ask('GET', '/v1/pools/many')).status === 200)
    const last = (await server.api('GET', '/v1/events?order=desc&limit=1')).items[0].id
    assert.ok(last > before + MANY)

    await page.goto(`/events?q=until:${edge}`)
    assert.equal(await page.locator('#event tbody tr').count(), 100)
    assert.equal(Number(await page.locator('#event tbody tr a.open').first().innerText()), before)
    const found = await server.api('GET', `/v1/events?order=desc&limit=1&filter=until:${edge}`)
    assert.equal(found.items[0].id, before)

    assert.equal(await rows('/events?format=csv'), last)
    assert.equal(await rows('/events?q=kind:resource-created%20many&format=csv'), MANY)
    assert.equal(await rows('/resources?q=pool:many&format=csv'), MANY)
    assert.equal(await rows('/resources?q=pool:many&sort=-updated&format=csv'), MANY)
    assert.equal((await (await fetch(`${server.url}/events?format=json`)).json()).length, last)
  })

  test('nothing went wrong meanwhile', () => assert.deepEqual(troubles, []))
})

describe('what went wrong', () => {
  test('the first page shows my jobs, a stuck one and a plugin that takes no calls', async () => {
    const server = await Server.start()
    const browser = await launch()
    try {
      await server.install('off', 'target-list', { grants: { locker: true } })
      const job = await server.api('POST', '/v1/jobs?wait=20s', {
        target_manager: 'off',
        owner: 'ann',
        acquire_parameters: { Targets: [{ ID: 'bench-1' }] },
        release_parameters: {},
      })
      const { page, troubles } = await visit(browser, server, { owner: 'ann' })
      await page.goto('/')
      const row = page.locator('#job tbody tr')
      assert.match(await row.innerText(), /bench-1/)
      assert.equal(await page.locator('.alert').count(), 0)
      await server.api('POST', '/v1/plugins/off/disable')
      await server.api('DELETE', `/v1/jobs/${job.id}`)
      const said = /1 job is stuck.*A plugin takes no calls: off is disabled/s
      await until('the page says so', async () => said.test(await page.locator('#rows').innerText()))
      const other = await visit(browser, server, { owner: 'bob' })
      await other.page.goto('/')
      assert.equal(await other.page.locator('#job').count(), 0)
      // It is tried again now and then, and not stuck for that moment.
      await until('others see it', async () => /1 job is stuck/.test(await other.page.locator('#rows').innerText()))
      assert.deepEqual([...troubles, ...other.troubles], [])
    } finally {
      await browser.close()
      await server.close()
    }
  })
})
