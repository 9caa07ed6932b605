// Pages with forms that stay open: what is done elsewhere shows on them, and what was typed stays.
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { launch, press, visit } from './browser.mjs'
import { Server } from './server.mjs'

const POOLS = `resources:
- {type: gpu, state: free, names: [gpu-1, gpu-2, gpu-3, gpu-4]}
`

describe('forms on a page that is open', () => {
  let browser, server, context, page, troubles
  before(async () => {
    server = await Server.start({ pools: POOLS })
    browser = await launch()
    ;({ context, page, troubles } = await visit(browser, server, { owner: 'ann' }))
  })
  after(async () => {
    await browser?.close()
    await server?.close()
  })
  afterEach(async () => {
    for (const each of (await server.api('GET', '/v1/leases')).items) await release(each)
  })

  const lease = (body) => server.api('POST', '/v1/leases', { owner: 'ann', ttl: '10m', pool: 'gpu', ...body })
  const release = ({ id, owner }) => server.api('DELETE', `/v1/leases/${id}?owner=${owner}`)
  const button = (name) => page.getByRole('button', { name, exact: true })
  const state = (wanted) =>
    page.waitForFunction((wanted) => document.getElementById('live').dataset.state === wanted, wanted, { timeout: 20_000 })
  const open = async (path) => {
    await page.goto(path)
    await page.mouse.move(2, 2)
    await state('live')
  }
  const gone = (locator) => locator.waitFor({ state: 'detached', timeout: 20_000 })
  const there = (locator) => locator.waitFor({ timeout: 20_000 })

  test('a page that came back with an error follows what happens', async () => {
    const taken = await lease()
    await open(`/leases/${taken.id}`)
    await page.getByLabel('Extend: from now on').fill('0s')
    await press(page, 'Extend')
    await there(page.getByRole('alert').first())
    assert.equal(new URL(page.url()).pathname, `/leases/${taken.id}`)
    await state('live')
    await release(taken)
    await there(page.getByText('Over: released'))
    await page.reload()
    await there(page.getByText('Over: released'))
  })

  test('a page that cannot be read again says so', async () => {
    const taken = await lease()
    // From before it is opened: it may fetch itself at once, and a fetch that is under way would show the release.
    await page.route(`**/leases/${taken.id}`, (route) =>
      route.request().resourceType() === 'document'
        ? route.continue()
        : route.fulfill({ status: 502, contentType: 'application/json', body: '{}' }),
    )
    await page.goto(`/leases/${taken.id}`)
    await page.mouse.move(2, 2)
    await release(taken)
    await state('offline')
    await page.unroute(`**/leases/${taken.id}`)
    await page.getByText('Over: released').waitFor({ timeout: 20_000 })
    await state('live')
  })

  test('what was typed comes back, in the words of people', async () => {
    const taken = await lease()
    await open(`/leases/${taken.id}`)
    const extend = page.getByLabel('Extend: from now on')
    await extend.fill('99999h')
    await press(page, 'Extend')
    assert.match(await page.getByRole('alert').first().innerText(), /at most 30 d$/)
    assert.deepEqual([await extend.inputValue(), await extend.getAttribute('aria-invalid')], ['99999h', 'true'])
    await open(`/leases/${taken.id}`)
    const into = page.getByLabel('Release to the state')
    await into.evaluate((field) => field.removeAttribute('maxlength'))
    await into.fill('x'.repeat(600))
    await press(page, 'Release')
    assert.deepEqual([(await into.inputValue()).length, await into.getAttribute('aria-invalid')], [600, 'true'])
  })

  test('a lease that is over can no longer be extended', async () => {
    const taken = await lease()
    await open(`/leases/${taken.id}`)
    await there(button('Extend'))
    await release(taken)
    await gone(button('Extend'))
    assert.equal(await button('Release').count(), 0)
  })

  test('a resource that was drained elsewhere can be undrained only', async () => {
    await open('/resources/gpu-2')
    await there(button('Drain'))
    await server.api('PATCH', '/v1/resources/gpu-2', { cordon: { message: 'fan' } })
    await there(button('Let leases on again'))
    await gone(button('Drain'))
  })

  test('what is being typed stays while the page changes', async () => {
    await open('/resources/gpu-3')
    await page.getByLabel('Keep new leases off, and say why').fill('half a sentence')
    await page.getByLabel('For how long').focus()
    await lease({ pool: undefined, targets: ['gpu-3'], owner: 'bob' })
    await there(page.getByText('Held by').first())
    assert.equal(await page.getByLabel('Keep new leases off, and say why').inputValue(), 'half a sentence')
    assert.equal(await page.evaluate(() => document.activeElement.id), 'until')
  })

  test('the focus stays on its row when rows change places, and goes to the next when it is gone', async () => {
    const [first, second, third] = [await lease({ ttl: '10m' }), await lease({ ttl: '20m' }), await lease({ ttl: '30m' })]
    await open('/leases?sort=until')
    const order = () => page.locator('tbody > tr').evaluateAll((rows) => rows.map((row) => row.id.slice(6)).join())
    const ordered = (...leases) =>
      page.waitForFunction((ids) => [...document.querySelectorAll('tbody > tr')].map((row) => row.id.slice(6)).join() === ids, leases.map(({ id }) => id).join(), { timeout: 20_000 })
    const focused = () => page.evaluate(() => document.activeElement.closest('tr')?.id.slice(6))
    assert.equal(await order(), [first, second, third].map(({ id }) => id).join())
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    assert.equal(await focused(), `${second.id}`)
    await server.api('POST', `/v1/leases/${second.id}/renew`, { ttl: '50m' })
    await ordered(first, third, second)
    assert.equal(await focused(), `${second.id}`)
    await page.keyboard.press('k')
    assert.equal(await focused(), `${third.id}`)
    await release(third)
    await ordered(first, second)
    assert.equal(await focused(), `${second.id}`)
  })

  test('a list is sorted by the heads of its columns, which say so', async () => {
    const leases = [await lease({ ttl: '30m' }), await lease({ ttl: '10m' })]
    await open('/leases?q=owner:ann')
    const head = (name) => page.getByRole('columnheader', { name })
    assert.equal(await head('Lease').getAttribute('aria-sort'), 'ascending')
    assert.equal(await head('Until').getAttribute('aria-sort'), null)
    await head('Until').getByRole('link').click()
    await page.waitForURL('**/leases?q=owner%3Aann&sort=until')
    assert.equal(await head('Until').getAttribute('aria-sort'), 'ascending')
    const order = () => page.locator('tbody > tr').evaluateAll((rows) => rows.map((row) => row.id.slice(6)).join())
    assert.equal(await order(), leases.map(({ id }) => id).reverse().join())
    await head('Lease').getByRole('link').click()
    await page.waitForURL('**/leases?q=owner%3Aann&sort=id')
    await head('Lease').getByRole('link').click()
    await page.waitForURL('**/leases?q=owner%3Aann&sort=-id')
    assert.equal(await head('Lease').getAttribute('aria-sort'), 'descending')
  })

  test('a warning is read, goes away, and is in nobody\'s way', async () => {
    const taken = await lease({ ttl: '3m50s' })
    await open('/leases')
    const say = page.locator('#say')
    await page.waitForFunction((id) => document.getElementById('say').textContent.startsWith(`Your lease ${id} ends in 3 min`), taken.id, { timeout: 20_000 })
    assert.equal(await say.evaluate((node) => getComputedStyle(node).pointerEvents), 'none')
    await page.waitForFunction(() => !document.getElementById('say').textContent, null, { timeout: 15_000 })
    await page.reload()
    await state('live')
    assert.equal(await say.textContent(), '', 'it was said already')
  })

  for (const [who, options, label, end] of [
    ['of whoever is in Los Angeles', { timezoneId: 'America/Los_Angeles' }, 'Or until (your time)', '2030-01-02T11:04:00Z'],
    ['without a script', { timezoneId: 'America/Los_Angeles', javaScriptEnabled: false }, 'Or until (UTC)', '2030-01-02T03:04:00Z'],
  ]) {
    test(`a drain ends at a time ${who}`, async () => {
      const { page, context } = await visit(browser, server, { owner: 'ann', ...options })
      await page.goto('/resources/gpu-4')
      await page.getByLabel(label).fill('2020-01-02T03:04')
      await page.getByLabel('Keep new leases off, and say why').fill('fan')
      await press(page, 'Drain')
      await there(page.getByRole('alert').first())
      assert.equal(await page.getByLabel(label).inputValue(), '2020-01-02T03:04', 'what was typed comes back')
      await page.getByLabel(label).fill('2030-01-02T03:04')
      await press(page, 'Drain')
      const { cordon } = await server.api('GET', '/v1/resources/gpu-4')
      assert.equal(cordon.until, end)
      await press(page, 'Let leases on again')
      await context.close()
    })
  }

  test('a plugin and its job offer what can be done by now', async () => {
    await server.install('list', 'target-list', { grants: { locker: true } })
    await open('/plugins/list')
    await there(button('Disable'))
    await server.api('POST', '/v1/plugins/list/disable')
    await there(button('Enable'))
    assert.equal(await button('Disable').count(), 0)
    await server.api('POST', '/v1/plugins/list/enable')
    const job = await server.api('POST', '/v1/jobs?wait=20s', {
      target_manager: 'list',
      owner: 'ann',
      acquire_parameters: { Targets: [{ ID: 'a' }] },
      release_parameters: {},
    })
    await open(`/jobs/${job.id}`)
    for (const name of ['Renew', 'End it', 'Free it']) await there(button(name))
    await page.getByLabel('Renew: from now on').fill('0s')
    await press(page, 'Renew')
    await there(page.getByRole('alert').first())
    await server.api('DELETE', `/v1/jobs/${job.id}`)
    for (const name of ['Renew', 'End it', 'Free it']) await gone(button(name))
  })

  test('a button does not change under the pointer', async () => {
    await open('/plugins/list')
    await button('Disable').hover()
    const other = await context.newPage()
    await other.goto('/plugins/list')
    await server.api('POST', '/v1/plugins/list/disable')
    await other.getByRole('button', { name: 'Enable', exact: true }).waitFor({ timeout: 20_000 })
    await there(page.getByText('disabled').first())
    assert.equal(await button('Disable').count(), 1)
    await page.mouse.move(2, 2)
    await there(button('Enable'))
    await other.close()
  })

  test('whoever goes back gets the page as it is now', async () => {
    const taken = await lease()
    await open(`/leases/${taken.id}`)
    await page.goto('/help')
    const asked = page.waitForRequest((request) => request.url().endsWith(`/leases/${taken.id}`) && 'lessor-refresh' in request.headers(), { timeout: 20_000 })
    await page.goBack()
    await asked
  })

  test('no script failed and the policy refused nothing', () => assert.deepEqual(troubles, []))
})
