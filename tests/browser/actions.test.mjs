// Everything that can be done on a page, done there and looked for through the API: with a script and without.
import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { follow, launch, press, visit } from './browser.mjs'
import { Server, until } from './server.mjs'

const POOLS = `resources:
- {type: gpu, state: free, names: [gpu-1, gpu-2, gpu-3], labels: {site: ber}}
- {type: one, state: free, names: [one-1]}
- {type: two, state: free, names: [two-1, two-2]}
`

for (const javaScriptEnabled of [true, false]) {
  describe(javaScriptEnabled ? 'with a script' : 'without a script', () => {
    let browser, server, page, troubles
    before(async () => {
      server = await Server.start({ pools: POOLS })
      browser = await launch()
      ;({ page, troubles } = await visit(browser, server, { javaScriptEnabled, owner: 'ann' }))
    })
    after(async () => {
      await browser?.close()
      await server?.close()
    })

    const lease = (body) => server.api('POST', '/v1/leases', { owner: 'ann', ttl: '10m', ...body })
    const resource = (name) => server.api('GET', `/v1/resources/${name}`)
    const id = () => Number(new URL(page.url()).pathname.split('/').pop())

    test('somebody says who they are', async () => {
      await page.goto('/me?back=/queue')
      await page.getByLabel('Name').fill('ann')
      await press(page, 'That is me')
      assert.equal(new URL(page.url()).pathname, '/queue')
      assert.match(await page.locator('.who').innerText(), /ann/)
    })

    test('a resource is leased, extended and released to a state', async () => {
      await page.goto('/lease?pool=gpu')
      await page.getByLabel('What for').fill('bisect')
      await page.getByLabel('For how long').fill('5m')
      await press(page, 'Lease')
      const given = await server.api('GET', `/v1/leases/${id()}`)
      assert.deepEqual([given.owner, given.purpose, given.ttl_ms], ['ann', 'bisect', 300_000])
      await page.getByLabel('Extend: from now on').fill('2h')
      await press(page, 'Extend')
      assert.equal((await server.api('GET', `/v1/leases/${id()}`)).ttl_ms, 7_200_000)
      await page.getByLabel('Release to the state').fill('dirty')
      await press(page, 'Release')
      assert.equal((await resource(given.targets[0].name ?? given.targets[0])).state, 'dirty')
    })

    test('one is leased by name from its row', async () => {
      await page.goto('/resources?q=name:two-1')
      await follow(page, 'Lease two-1')
      await press(page, 'Lease')
      assert.equal((await resource('two-1')).owner, 'ann')
    })

    test('a lease is released from the first page', async () => {
      const { id } = await lease({ targets: ['two-2'] })
      await page.goto('/')
      await press(page, `Release lease ${id}`)
      assert.equal((await resource('two-2')).owner ?? null, null)
    })

    test('somebody waits in line, and leaves it', async () => {
      const held = await lease({ owner: 'bob', pool: 'one' })
      await page.goto('/lease?pool=one')
      await page.getByLabel('If it is not free, wait in line for').fill('1h')
      await press(page, 'Lease')
      assert.match(await page.locator('.big').innerText(), /Number 1 in line/)
      const first = await server.api('GET', `/v1/requests/${id()}`)
      assert.equal(first.owner, 'ann')
      await press(page, `Cancel request ${id()}`)
      assert.equal((await server.api('GET', '/v1/requests')).items.length, 0)
      await page.goto('/lease?pool=one')
      await press(page, 'Lease')
      await server.api('DELETE', `/v1/leases/${held.id}?owner=bob`)
      assert.equal((await resource('one-1')).owner, 'ann', 'who waited on a page is served')
    })

    test('another is taken out of line, with a reason', async () => {
      const held = await lease({ owner: 'bob', targets: ['the-desk'] })
      const { id: request } = await lease({ owner: 'carl', targets: ['the-desk'], wait: '1ms' })
      await page.goto('/queue')
      await page.getByRole('link', { name: `Take out request ${request}` }).click()
      assert.equal((await server.api('GET', `/v1/requests/${request}`)).status, 'waiting', 'it asks first')
      await page.getByLabel('Why').fill('the release needs it')
      await press(page, 'Take it out of line')
      assert.equal((await server.api('GET', '/v1/requests?filter=is:waiting')).items.length, 0)
      assert.match(await page.locator('main').innerText(), /by ann: the release needs it/)
      await server.api('DELETE', `/v1/leases/${held.id}?owner=bob`)
    })

    test('a lease is taken back, with a reason', async () => {
      const { id } = await lease({ owner: 'bob', pool: 'gpu' })
      await page.goto(`/leases/${id}`)
      await page.getByRole('link', { name: /Take it back from bob/ }).click()
      await page.getByLabel('Why').fill('it hangs')
      await press(page, 'Take it back')
      const ended = await server.api('GET', `/v1/leases/${id}`)
      assert.match(JSON.stringify(ended), /"forced".*|it hangs/)
      assert.match(await page.locator('main').innerText(), /taken back/)
    })

    test('a resource is drained and takes leases again', async () => {
      await page.goto('/resources/gpu-2')
      await page.getByLabel('Keep new leases off, and say why').fill('fan broken')
      await page.getByLabel('For how long').fill('2 h')
      await press(page, 'Drain')
      const { message, since, until } = (await resource('gpu-2')).cordon
      assert.equal(message, 'fan broken')
      assert.ok(Math.abs(new Date(until) - new Date(since) - 2 * 3600e3) < 60_000, `${since} to ${until}`)
      assert.match(await page.locator('main').innerText(), /ends in (2 h|1 h 59 min)/)
      await press(page, 'Let leases on again')
      assert.equal((await resource('gpu-2')).cordon ?? null, null)
    })

    test('labels and state are edited, and a stale form comes back', async () => {
      await page.goto('/resources/gpu-3/edit')
      await page.getByLabel('State').fill('dirty')
      await page.getByLabel('Labels, one a line').fill('site=muc\nrack=7')
      await press(page, 'Save')
      const edited = await resource('gpu-3')
      assert.deepEqual([edited.state, edited.labels], ['dirty', { site: 'muc', rack: '7' }])
      await page.goto('/resources/gpu-3/edit')
      await server.api('PATCH', '/v1/resources/gpu-3', { labels: { site: 'ham' } })
      await page.getByLabel('Labels, one a line').fill('mine=1')
      await press(page, 'Save')
      assert.equal(await page.getByLabel('Labels, one a line').inputValue(), 'mine=1')
      assert.deepEqual((await resource('gpu-3')).labels, { site: 'ham' })
    })

    test('all that a filter finds are drained at once', async () => {
      await page.goto('/resources?q=pool:two')
      await page.getByRole('link', { name: 'Do something with all of these…' }).click()
      await page.getByLabel('Why').fill('moving house')
      await press(page, 'Drain 2')
      for (const name of ['two-1', 'two-2']) assert.equal((await resource(name)).cordon.message, 'moving house')
    })

    test('all leases that a filter finds are extended, released and taken back', async () => {
      await server.api('PUT', '/v1/resources/many-1', { pool: 'many' })
      for (const index of [2, 3, 4]) await server.api('PUT', `/v1/resources/many-${index}`, { pool: 'many' })
      const mine = [await lease({ pool: 'many' }), await lease({ pool: 'many' })]
      const other = await lease({ pool: 'many', owner: 'bob' })
      const look = ({ id }) => server.api('GET', `/v1/leases/${id}`)
      const all = async () => {
        await page.goto('/leases?q=pool:many')
        await page.getByRole('link', { name: 'Do something with all of these…' }).click()
      }
      await all()
      await page.getByLabel('Extend: from now on').fill('45')
      await press(page, 'Extend 2 of yours')
      assert.match(await page.getByRole('alert').first().innerText(), /45 of what/)
      await page.getByLabel('Extend: from now on').fill('45m')
      await press(page, 'Extend 2 of yours')
      for (const each of mine) assert.equal((await look(each)).ttl_ms, 2_700_000)
      assert.equal((await look(other)).ttl_ms, 600_000)
      await all()
      await page.getByLabel('Release to the state').fill('dirty')
      await press(page, 'Release 2 of yours')
      for (const each of mine) assert.equal((await look(each)).cause, 'released')
      assert.equal((await resource(mine[0].targets[0])).state, 'dirty')
      await all()
      await page.getByLabel('Why').fill('moving house')
      const late = await lease({ owner: 'carl', targets: ['many-4'] })
      await press(page, 'Take back 1')
      assert.match(await page.getByRole('alert').first().innerText(), /look again/)
      assert.equal(await page.getByLabel('Why').inputValue(), 'moving house')
      await press(page, 'Take back 2')
      for (const each of [other, late]) {
        const { cause, reason, by } = await look(each)
        assert.deepEqual([cause, reason, by], ['forced', 'moving house', 'ann'])
      }
    })

    test('all who wait that a filter finds are taken out of the line', async () => {
      const held = await lease({ owner: 'bob', targets: ['in-demand'] })
      const wait = (owner) => server.ask('POST', '/v1/leases', { owner, targets: ['in-demand'], wait: '1ms' })
      for (const owner of ['carl', 'dora', 'emil']) await wait(owner)
      await page.goto('/queue?q=-owner:emil')
      await page.getByRole('link', { name: 'Do something with all of these…' }).click()
      await page.getByLabel('Why').fill('moving house')
      await press(page, 'Take 2 out of line')
      const waiting = (await server.api('GET', '/v1/requests?filter=is:waiting')).items
      assert.deepEqual(waiting.map(({ owner }) => owner), ['emil'])
      await server.api('DELETE', `/v1/requests/${waiting[0].id}`)
      await server.api('DELETE', `/v1/leases/${held.id}?owner=bob`)
    })

    test('what is refused comes back with what was typed', async () => {
      await page.goto('/lease?pool=gpu')
      await page.getByLabel('What for').fill('my <purpose>')
      await page.getByLabel('For how long').fill('soon')
      await press(page, 'Lease')
      assert.match(await page.getByRole('alert').first().innerText(), /ttl/)
      assert.equal(await page.getByLabel('What for').inputValue(), 'my <purpose>')
      assert.equal(await page.getByLabel('For how long').getAttribute('aria-invalid'), 'true')
    })

    test('the pools file is read again', async () => {
      appendFileSync(server.pools, '- {type: late, state: free, names: [late-1]}\n')
      await page.goto('/status')
      await press(page, 'Read the pools file again')
      await until('the new pool is there', async () => (await server.ask('GET', '/v1/pools/late')).status === 200)
    })

    test('a list is filtered, ordered, and leaves as a file', async () => {
      await page.goto('/resources')
      await page.getByLabel('Filter').fill('pool:gpu')
      await press(page, 'Show')
      assert.equal(await page.locator('tbody tr').count(), 3)
      const csv = await (await fetch(`${server.url}/resources?q=pool:gpu&format=csv`)).text()
      assert.equal(csv.trim().split('\n').length, 4)
    })

    test('the colours are chosen', async () => {
      await page.goto('/pools')
      await press(page, 'dark')
      assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark')
      assert.equal(new URL(page.url()).pathname, '/pools')
    })

    test('no script failed and the policy refused nothing', () => assert.deepEqual(troubles, []))
  })
}
