// What somebody types, and what they are about to press, while others change what the page shows.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, press, visit } from './browser.mjs'
import { Server } from './server.mjs'

const POOLS = `resources:
- {type: gpu, state: free, names: [gpu-1, gpu-2, gpu-3, gpu-4]}
`

describe('what somebody is at', () => {
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

  const live = () => page.waitForFunction(() => document.getElementById('live').dataset.state === 'live')
  const patch = (name, edit) => server.api('PATCH', `/v1/resources/${name}`, edit)
  const why = () => page.getByLabel(/say why|Say something else/)

  test('a reason that is typed stays while somebody else drains and lets leases on again', async () => {
    await page.goto('/resources/gpu-1')
    await live()
    await why().click()
    await page.mouse.move(2, 2)
    await page.keyboard.type('the fan is br')
    await patch('gpu-1', { cordon: { message: 'bob was faster' } })
    await page.getByText('bob was faster').first().waitFor({ timeout: 20_000 })
    await page.keyboard.type('oken')
    assert.equal(await why().inputValue(), 'the fan is broken')
    await why().blur()
    await patch('gpu-1', { cordon: null })
    await page.locator('.alert', { hasText: 'bob was faster' }).waitFor({ state: 'detached', timeout: 20_000 })
    assert.equal(await why().inputValue(), 'the fan is broken')
    await press(page, 'Drain')
    assert.equal((await server.api('GET', '/v1/resources/gpu-1')).cordon.message, 'the fan is broken')
  })

  test('a form that was overtaken can be sent again, whatever else happens meanwhile', async () => {
    await page.goto('/resources/gpu-2')
    await live()
    await page.getByRole('button', { name: 'Pause' }).click()
    await why().fill('mine')
    await patch('gpu-2', { cordon: { message: 'theirs' } })
    await press(page, 'Drain')
    await page.getByRole('alert').first().waitFor()
    await live()
    await patch('gpu-2', { labels: { seen: 'beside-it' } })
    await page.getByText('seen=beside-it').first().waitFor({ timeout: 20_000 })
    assert.equal(await why().inputValue(), 'mine')
    await press(page, 'Drain anew')
    assert.equal((await server.api('GET', '/v1/resources/gpu-2')).cordon.message, 'mine')
  })

  test('a button stays what it is, and where it is, under the pointer', async () => {
    await page.goto('/resources/gpu-3')
    await live()
    const edit = page.getByRole('link', { name: 'Edit…' })
    await edit.hover()
    const before = await edit.boundingBox()
    await patch('gpu-3', { cordon: { message: 'all of a sudden' } })
    await page.getByText('all of a sudden').first().waitFor({ timeout: 20_000 })
    assert.deepEqual(await edit.boundingBox(), before)
    assert.equal(await page.getByRole('button', { name: 'Let leases on again' }).count(), 0)
    await page.mouse.move(2, 2)
    await page.getByRole('button', { name: 'Let leases on again' }).waitFor({ timeout: 20_000 })
  })

  test('no script failed and the policy refused nothing', async () => {
    assert.deepEqual(troubles, [])
    await context.close()
  })
})
