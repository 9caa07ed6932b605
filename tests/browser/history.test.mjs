// What is said of the past: charts of who held what, ranges of time, files, and what went wrong.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { follow, launch, visit } from './browser.mjs'
import { DAY, afterADay, noPast } from './day.mjs'
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
      for (const target of targets) for (let n = 0; n < 15; n++) await release(await lease({ owner: `ci-${n}`, targets: [target] }))
    }
    await Promise.all(names('', 10).map((_, index) => worker(members.slice(index * 5, index * 5 + 5))))
    const answer = await fetch(`${server.url}/pools/busy?window=1h`)
    const html = await answer.text()
    for (const words of ['750 leases on 50 targets', 'Dotted is more than one lease']) assert.ok(html.includes(words), words)
    const size = gzipSync(html).length
    assert.ok(size < 15_000, `${size} bytes`)
    await page.goto('/pools/busy?window=1h')
    assert.equal(await page.locator('svg.gantt .lane').count(), 50)
    await follow(page, 'The next of 60')
    assert.equal(await page.locator('svg.gantt .lane').count(), 10)
    await follow(page, 'The first')
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

// Leases `count` times in turn from each of the groups of `size` resources of a pool, for `minutes`, all over a day.
const day = (pool, groups, size, count, minutes) => async (server, clock) => {
  for (let turn = 0; turn < count; turn++) {
    const held = []
    const ago = (later) => Math.round(DAY - 60 - ((turn + later) * (DAY - 120)) / count)
    clock.set(ago(0))
    for (let group = 0; group < groups; group++) {
      const targets = names(pool, groups * size).slice(group * size, (group + 1) * size)
      held.push(await server.api('POST', '/v1/leases', { owner: `ci-${turn}-${group}`, targets, ttl: '24h' }))
    }
    clock.set(ago(0) - minutes * 60)
    for (const { id } of held) await server.api('DELETE', `/v1/leases/${id}`)
  }
}
// How much of the time of all lanes is drawn as held.
const drawn = (page) =>
  page.evaluate(() => {
    const plain = [...document.querySelectorAll('.gantt .plain')].flatMap((path) => path.getAttribute('d').match(/h\d+/g).map((width) => Number(width.slice(1))))
    const bars = [...document.querySelectorAll('.gantt .span')].map((bar) => Number(bar.getAttribute('width')))
    const lanes = document.querySelectorAll('.gantt .lane').length
    const widths = [...plain, ...bars]
    return { lanes, bars: widths.length, widest: Math.max(...widths), share: widths.reduce((sum, width) => sum + width, 0) / lanes / 720 }
  })

describe('a day that was', { skip: noPast }, () => {
  const look = async (happens, check) => {
    const pools = `resources:\n- {type: flock, state: free, names: [${names('flock', 50).join(', ')}]}\n`
    const server = await afterADay({ pools }, happens)
    const browser = await launch()
    try {
      const { page, troubles } = await visit(browser, server, { owner: 'ann' })
      await page.goto('/pools/flock?window=24h')
      await check(page, server)
      assert.deepEqual(troubles, [])
    } finally {
      await browser.close()
      await server.close()
    }
  }

  test('time in which nobody held it is not drawn as held', () =>
    look(day('flock', 10, 5, 4, 20), async (page) => {
      const { lanes, bars, widest, share } = await drawn(page)
      assert.deepEqual([lanes, bars], [50, 200])
      // 80 of 1440 minutes, in bars of 10 units.
      assert.ok(Math.abs(share - 80 / 1440) < 0.005, `${share}`)
      assert.ok(widest < 11, `${widest}`)
      // The picture begins with a whole quarter of an hour, which may be after the first of the four leases did.
      assert.match(await page.locator('main').innerText(), /Use over 24 hours: [45] % on average/)
      assert.ok(!(await page.locator('.told').isVisible()))
      await page.setViewportSize({ width: 390, height: 844 })
      assert.ok(!(await page.locator('svg.gantt').isVisible()))
      const told = await page.locator('.told li').allInnerTexts()
      assert.deepEqual([told.length, told[0]], [50, 'flock-00 4 leases, 6 % of the time'])
    }))

  test('of busy ones fewer are shown, all of the day, within the size of a page', () =>
    look(day('flock', 10, 5, 48, 25), async (page, server) => {
      const { lanes, bars, share } = await drawn(page)
      assert.ok(lanes >= 15 && lanes < 50, `${lanes}`)
      assert.equal(bars, lanes * 48)
      assert.ok(Math.abs(share - 25 / 30) < 0.05, `${share}`)
      assert.equal(await page.locator('.gantt .unknown').count(), 0)
      const html = await (await fetch(`${server.url}/pools/flock?window=24h`)).text()
      const size = gzipSync(html).length
      assert.ok(size < 15_000, `${size} bytes`)
      await follow(page, 'The next of 50')
      assert.equal((await drawn(page)).lanes, Math.min(lanes, 50 - lanes))
    }))
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
