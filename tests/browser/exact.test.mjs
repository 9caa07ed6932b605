// Names and texts that no field of a form can carry as they are: forms act on what they show, or not at all.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { follow, launch, press, visit } from './browser.mjs'
import { Server } from './server.mjs'

const POOLS = `resources:
- {type: gpu, state: free, names: [gpu-1, gpu-2, gpu-3]}
`

describe('forms for names that no field carries', () => {
  let browser, server, page, troubles
  before(async () => {
    server = await Server.start({ pools: POOLS })
    browser = await launch()
    ;({ page, troubles } = await visit(browser, server, { owner: 'ann' }))
  })
  after(async () => {
    await browser?.close()
    await server?.close()
  })

  const path = (name) => `/resources/${encodeURIComponent(name)}`
  const put = (name, body) => server.api('PUT', `/v1${path(name)}`, { pool: 'gpu', ...body })
  const locked = async () => (await server.api('GET', '/v1/locks')).items.map(({ target }) => target)
  const id = () => Number(new URL(page.url()).pathname.split('/').pop())

  for (const owner of ['a\nb', 'a\rb', ' lead', 'trail ', 'nul\0x']) {
    test(`a lease of ${JSON.stringify(owner)} is taken back`, async () => {
      const taken = await server.api('POST', '/v1/leases', { owner, pool: 'gpu' })
      await page.goto(`/leases/${taken.id}/force`)
      await page.getByLabel('Why').fill('it hangs')
      await press(page, 'Take it back')
      assert.equal((await server.api('GET', `/v1/leases/${taken.id}`)).cause, 'forced')
    })
  }

  for (const name of ['gpu-1\ngpu-2', 'gpu-1\rgpu-2', ' gpu-3', 'nul\0r']) {
    test(`${JSON.stringify(name)} is leased, and nothing else`, async () => {
      await put(name)
      await page.goto(path(name))
      await follow(page, 'Lease…')
      await page.getByLabel('For how long').fill('soon')
      await press(page, 'Lease')
      assert.equal(await page.getByLabel('For how long').getAttribute('aria-invalid'), 'true')
      await page.getByLabel('For how long').fill('5m')
      await press(page, 'Lease')
      assert.deepEqual(await locked(), [name])
      await press(page, 'Release')
      assert.deepEqual(await locked(), [])
      await server.api('DELETE', `/v1${path(name)}`)
    })
  }

  test('a lease from a pool with such a name is from that pool', async () => {
    await server.api('PUT', '/v1/resources/odd-1', { pool: ' gpu' })
    await page.goto(`/pools/${encodeURIComponent(' gpu')}`)
    await follow(page, 'Lease…')
    await press(page, 'Lease')
    assert.deepEqual(await locked(), ['odd-1'])
    await press(page, 'Release')
  })

  test('labels that no field carries stay as they are', async () => {
    const labels = { site: 'a\nadmin=yes', x: ' lead' }
    await put('labelled', { labels })
    await page.goto(`${path('labelled')}/edit`)
    assert.equal(await page.getByLabel('Labels, one a line').count(), 0)
    await page.getByLabel('State').fill('dirty')
    await press(page, 'Save')
    const saved = await server.api('GET', '/v1/resources/labelled')
    assert.deepEqual([saved.labels, saved.state], [labels, 'dirty'])
  })

  test('labels that look odd but survive are edited', async () => {
    await put('plain', { labels: { empty: '', eq: 'a=b', two: 'with  spaces' } })
    await page.goto(`${path('plain')}/edit`)
    await press(page, 'Save')
    assert.deepEqual((await server.api('GET', '/v1/resources/plain')).labels, { empty: '', eq: 'a=b', two: 'with  spaces' })
  })

  test('a state that no field carries stays as it is', async () => {
    await put('stateful', { state: ' in\nrepair ' })
    await page.goto(`${path('stateful')}/edit`)
    await page.getByLabel('Labels, one a line').fill('a=b')
    await press(page, 'Save')
    const saved = await server.api('GET', '/v1/resources/stateful')
    assert.deepEqual([saved.state, saved.labels], [' in\nrepair ', { a: 'b' }])
  })

  test('what a lease holds is what was shown, or it is shown again', async () => {
    const taken = await server.api('POST', '/v1/leases', { owner: 'bob', targets: ['gpu-1', 'gpu-2'] })
    await page.goto(`/leases/${taken.id}/force`)
    await server.api('POST', `/v1/leases/${taken.id}/release`, { owner: 'bob', targets: ['gpu-1'] })
    await page.getByLabel('Why').fill('it hangs')
    await page.getByLabel('State that the resources get').fill('quarantine')
    await press(page, 'Take it back')
    assert.match(await page.getByRole('alert').first().innerText(), /look again/)
    assert.equal(await page.getByLabel('State that the resources get').inputValue(), 'quarantine')
    await press(page, 'Take it back')
    assert.equal((await server.api('GET', `/v1/leases/${taken.id}`)).cause, 'forced')
    assert.equal((await server.api('GET', '/v1/resources/gpu-2')).state, 'quarantine')
  })

  test('all that match are what was shown, or it is shown again', async () => {
    for (const name of ['two\n1', 'two\n2']) await server.api('PUT', `/v1${path(name)}`, { pool: 'two' })
    await page.goto('/bulk/resources?q=pool:two')
    await server.api('DELETE', `/v1${path('two\n2')}`)
    await server.api('PUT', `/v1${path('two\n3')}`, { pool: 'two' })
    await press(page, 'Drain 2')
    assert.match(await page.getByRole('alert').first().innerText(), /look again/)
    const cordon = async (name) => (await server.api('GET', `/v1${path(name)}`)).cordon ?? null
    assert.deepEqual([await cordon('two\n1'), await cordon('two\n3')], [null, null])
    await page.goto(`/bulk/resources?q=${encodeURIComponent('name:"two\n3"')}`)
    await press(page, 'Drain 1')
    assert.equal(await cordon('two\n1'), null)
    assert.notEqual(await cordon('two\n3'), null)
  })

  test('no script failed and the policy refused nothing', () => assert.deepEqual(troubles, []))
})
