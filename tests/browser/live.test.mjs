// What a page that is open does by itself.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { launch, visit } from './browser.mjs'
import { Server, until } from './server.mjs'

const POOLS = `resources:
- {type: gpu, state: free, names: [gpu-1, gpu-2, gpu-3]}
`

describe('a page that is open', () => {
  let browser, server
  before(async () => {
    server = await Server.start({ pools: POOLS })
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await server?.close()
  })

  const lease = (owner, more) => server.api('POST', '/v1/leases', { owner, ttl: '10m', pool: 'gpu', ...more })
  const release = ({ id, owner }) => server.api('DELETE', `/v1/leases/${id}?owner=${owner}`)
  const live = (page) => page.waitForFunction(() => document.getElementById('live').dataset.state === 'live')
  const rows = (page) => page.locator('tbody tr').count()

  // A machine that does something else may be late, but not every time. `act` says how many milliseconds it took.
  const withinASecond = async (act) => {
    const took = []
    while (took.length < 5 && !took.some((ms) => ms <= 1000)) took.push(await act(took.length))
    assert.ok(Math.min(...took) <= 1000, `it took ${took} ms`)
  }

  test('shows within a second what another browser did', async () => {
    const [ann, bob] = [await visit(browser, server, { owner: 'ann' }), await visit(browser, server, { owner: 'bob' })]
    await ann.page.goto('/leases')
    await live(ann.page)
    await withinASecond(async () => {
      await bob.page.goto('/lease?pool=gpu')
      await bob.page.getByLabel('What for').fill('seen at once')
      await Promise.all([bob.page.waitForURL(/\/leases\/\d+/), bob.page.getByRole('button', { name: 'Lease', exact: true }).click()])
      const started = Date.now()
      await ann.page.getByText('seen at once').waitFor({ timeout: 20_000 })
      const took = Date.now() - started
      await bob.page.getByRole('button', { name: 'Release', exact: true }).click()
      await ann.page.getByText('seen at once').waitFor({ state: 'detached', timeout: 20_000 })
      return took
    })
    assert.deepEqual([...ann.troubles, ...bob.troubles], [])
    await ann.context.close()
    await bob.context.close()
  })

  test('shows a renewal, which is no event, within a second', async () => {
    const { context, page, troubles } = await visit(browser, server, { owner: 'ann' })
    const taken = await lease('dora', { purpose: 'renewed elsewhere', ttl: '10m' })
    await page.goto('/leases')
    await live(page)
    const row = page.locator('tr', { hasText: 'renewed elsewhere' })
    const until = () => row.locator('td[data-label=Until] time').getAttribute('datetime')
    await withinASecond(async (tries) => {
      // Pages that follow renewals are told of the next ones 5 s later.
      if (tries) await page.waitForTimeout(6000)
      const before = await until()
      const started = Date.now()
      await server.api('POST', `/v1/leases/${taken.id}/renew`, { ttl: '5h' })
      await page.waitForFunction(
        ([id, before]) => document.querySelector(`#lease-${id} td[data-label=Until] time`).dateTime !== before,
        [taken.id, before],
        { timeout: 20_000 },
      )
      return Date.now() - started
    })
    assert.match(await row.locator('td[data-label=Until] time').innerText(), /^in (4 h 59 min|5 h)/)
    await release(taken)
    assert.deepEqual(troubles, [])
    await context.close()
  })

  test('shows the time of today to whoever comes back to it', async () => {
    const { context, page, troubles } = await visit(browser, server, { owner: 'ann' })
    await page.goto('/status')
    await live(page)
    await page.goto('/help')
    await page.waitForTimeout(8000)
    await page.goBack()
    const right = () => Math.abs(Date.parse(document.querySelector('[data-clock]').textContent) - Date.now()) < 5000
    await page.waitForFunction(right, null, { timeout: 20_000 })
    assert.deepEqual(troubles, [])
    await context.close()
  })

  test('shows what became of plugins', async () => {
    await server.install('list', 'target-list', { grants: { locker: true } })
    const { context, page } = await visit(browser, server, { owner: 'ann' })
    await page.goto('/events')
    await live(page)
    await server.api('POST', '/v1/plugins/list/disable')
    await page.getByText('plugin-disabled').first().waitFor({ timeout: 20_000 })
    await server.api('DELETE', '/v1/plugins/list')
    await context.close()
  })

  test('shares one stream over its tabs', async () => {
    const { context, page } = await visit(browser, server, { owner: 'ann' })
    const streams = async () => Number(/<dt>Open streams<\/dt><dd>(\d+)/.exec(await (await fetch(`${server.url}/status`)).text())[1])
    await until('the streams of others are gone', async () => (await streams()) === 0)
    await page.goto('/leases')
    await live(page)
    await until('there is a stream', async () => (await streams()) === 1)
    const other = await context.newPage()
    await other.goto('/leases')
    await live(other)
    const taken = await lease('carl', { purpose: 'both see it' })
    for (const tab of [page, other]) await tab.getByText('both see it').waitFor({ timeout: 20_000 })
    assert.equal(await streams(), 1)
    await page.close()
    await release(taken)
    await other.getByText('both see it').waitFor({ state: 'detached', timeout: 20_000 })
    // The server sees that the first tab is gone when it next writes to its stream.
    await until('only the stream of the tab that is left is open', async () => (await streams()) === 1)
    await context.close()
  })

  test('moves no row under the pointer, and catches up when it leaves', async () => {
    const { context, page } = await visit(browser, server, { owner: 'ann' })
    const first = await lease('ann', { purpose: 'the first' })
    await page.goto('/leases')
    await live(page)
    await page.getByText('the first').hover()
    const second = await lease('bob', { purpose: 'the second' })
    await release(first)
    await page.locator('tr.gone').waitFor({ timeout: 20_000 })
    assert.equal(await rows(page), 1, 'the row stays, marked as gone')
    await page.mouse.move(2, 2)
    await page.getByText('the second').waitFor({ timeout: 20_000 })
    await page.getByText('the first').waitFor({ state: 'detached' })
    await release(second)
    await context.close()
  })

  test('follows around the table that the pointer is on', async () => {
    const { context, page } = await visit(browser, server, { owner: 'ann' })
    await page.goto('/')
    await live(page)
    await page.locator('table a', { hasText: 'gpu' }).first().hover()
    const taken = await lease('ann', { purpose: 'beside it' })
    await page.getByText('beside it').waitFor({ timeout: 20_000 })
    await release(taken)
    await context.close()
  })

  test('says within a second that the pools file is wrong, and that it is right again', async () => {
    const { context, page } = await visit(browser, server, { owner: 'ann' })
    await page.goto('/')
    await live(page)
    writeFileSync(server.pools, 'resources: nonsense')
    await page.locator('#alerts', { hasText: 'Pools file' }).waitFor({ timeout: 20_000 })
    writeFileSync(server.pools, POOLS)
    await page.locator('#alerts', { hasText: 'Pools file' }).waitFor({ state: 'detached', timeout: 20_000 })
    await context.close()
  })

  test('stands still while it is paused', async () => {
    const { context, page } = await visit(browser, server, { owner: 'ann' })
    await page.goto('/leases')
    await live(page)
    await page.getByRole('button', { name: 'Pause' }).click()
    const { id } = await lease('bob', { purpose: 'later' })
    const witness = await visit(browser, server)
    await witness.page.goto('/leases')
    await witness.page.getByText('later').waitFor()
    assert.equal(await page.getByText('later').count(), 0)
    await page.getByRole('button', { name: 'Go on' }).click()
    await page.getByText('later').waitFor({ timeout: 20_000 })
    await release({ id, owner: 'bob' })
    await context.close()
    await witness.context.close()
  })

  test('recovers by itself when the server was restarted', async () => {
    const { context, page } = await visit(browser, server, { owner: 'ann' })
    await page.goto('/leases')
    await live(page)
    await server.halt()
    await page.waitForFunction(() => document.getElementById('live').dataset.state === 'offline', null, { timeout: 20_000 })
    await server.run()
    const taken = await lease('ann', { purpose: 'after the restart' })
    await page.getByText('after the restart').waitFor({ timeout: 20_000 })
    await live(page)
    await release(taken)
    await context.close()
  })

  test('says that its server hangs, and when it goes on', async () => {
    const { context, page, troubles } = await visit(browser, server, { owner: 'ann' })
    await page.clock.install()
    await page.goto('/leases')
    await live(page)
    server.child.kill('SIGSTOP')
    try {
      // What the server said before may be heard after the first.
      await until('that is said', async () => {
        await page.clock.fastForward(36_000)
        return page.evaluate(() => document.getElementById('live').dataset.state === 'offline')
      })
    } finally {
      server.child.kill('SIGCONT')
    }
    await live(page)
    assert.deepEqual(troubles, [])
    await context.close()
  })

  test('says that it asks where no stream comes through', async () => {
    const { context, page, troubles } = await visit(browser, server, { owner: 'ann' })
    await page.clock.install()
    await page.route('**/ui/signals', (route) => route.abort())
    await page.goto('/leases')
    const state = (wanted) =>
      page.waitForFunction((wanted) => document.getElementById('live').dataset.state === wanted, wanted, { timeout: 20_000 })
    await state('offline')
    const taken = await lease('bob', { purpose: 'asked for' })
    await page.clock.fastForward(16_000)
    await page.getByText('asked for').waitFor({ timeout: 20_000 })
    await state('every 15 s')
    await release(taken)
    assert.deepEqual(troubles, [])
    await context.close()
  })

  test('is told every 15 s that nothing changes', async () => {
    const gone = new AbortController()
    const { body } = await fetch(`${server.url}/ui/signals`, { signal: gone.signal })
    const told = body.pipeThrough(new TextDecoderStream()).getReader()
    let last, next
    do [last, next] = [next, (await told.read()).value]
    while (next !== last)
    assert.match(last, /^data: {"pools":/)
    gone.abort()
  })

  test('works in a browser that keeps nothing for it', async () => {
    const { context, page, troubles } = await visit(browser, server, { owner: 'ann' })
    await context.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, { get: () => { throw new DOMException('refused', 'SecurityError') } })
      }
    })
    await page.goto('/help')
    await page.getByRole('button', { name: 'Single keys are on' }).click()
    await page.getByRole('button', { name: 'Single keys are off' }).waitFor()
    const taken = await lease('ann', { purpose: 'soon over', ttl: '1m' })
    await page.goto('/leases')
    await page.getByText('soon over').waitFor()
    await live(page)
    await page.getByRole('status').filter({ hasText: 'ends in' }).waitFor()
    await release(taken)
    assert.deepEqual(troubles, [])
    await context.close()
  })

  test('is walked and acted on with keys, which can be switched off', async () => {
    const { context, page } = await visit(browser, server, { owner: 'ann' })
    const taken = await lease('ann', { ttl: '1m' })
    await page.goto('/')
    // Nothing was chosen.
    await page.keyboard.press('e')
    await page.goto('/leases')
    assert.equal((await server.api('GET', `/v1/leases/${taken.id}`)).renewed_at, taken.renewed_at)
    await page.keyboard.press('j')
    assert.equal(await page.evaluate(() => document.activeElement.textContent), String(taken.id))
    await page.keyboard.press('e')
    await page.waitForURL(/\/leases\/\d+/)
    await page.goto('/leases')
    await page.keyboard.press('/')
    assert.equal(await page.evaluate(() => document.activeElement.id), 'q')
    await page.getByRole('heading').first().click()
    await page.evaluate(() => document.activeElement.blur())
    await page.keyboard.press('?')
    await page.waitForURL('**/help')
    await page.getByRole('button', { name: 'Single keys are on' }).click()
    await page.goto('/leases')
    await page.keyboard.press('/')
    assert.notEqual(await page.evaluate(() => document.activeElement.id), 'q')
    await release(taken)
    await until('it is over', async () => (await server.api('GET', '/v1/leases')).items.length === 0)
    await context.close()
  })
})
