// Nothing comes under the pointer that was not there: who presses a button presses the one that they saw.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, afterEach, before, describe, test } from 'node:test'
import { launch, visit } from './browser.mjs'
import { Server, until } from './server.mjs'

const names = Array.from({ length: 40 }, (_, n) => `gpu-${n + 1}`)
const POOLS = `resources:
- {type: gpu, state: free, names: [${names.join(', ')}]}
- {type: phone, state: free, names: [pixel-7]}
`

describe('what the pointer is on', () => {
  let browser, server
  before(async () => {
    server = await Server.start({ pools: POOLS })
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await server?.close()
  })

  const lease = (owner, more) => server.api('POST', '/v1/leases', { owner, ttl: '10m', ...more })
  const release = ({ id, owner }) => server.api('DELETE', `/v1/leases/${id}?owner=${owner}`)

  afterEach(async () => {
    for (const one of (await server.api('GET', '/v1/leases')).items) await release(one)
  })

  // Opens a page as Ann and rests the pointer on something of it. `same` fails if that is elsewhere, or under another, by then.
  const rest = async (path, find, viewport = { width: 1280, height: 720 }) => {
    const { context, page } = await visit(browser, server, { owner: 'ann', viewport })
    await page.goto(path)
    await page.waitForFunction(() => document.getElementById('live').dataset.state === 'live')
    const locator = find(page)
    await locator.hover()
    const name = () => locator.evaluate((node) => node.getAttribute('aria-label') || node.textContent)
    const box = await locator.boundingBox()
    const at = [box.x + box.width / 2, box.y + box.height / 2]
    const under = () =>
      page.evaluate(([x, y]) => {
        const node = document.elementFromPoint(x, y).closest('a, button')
        return node && (node.getAttribute('aria-label') || node.textContent)
      }, at)
    const was = await name()
    assert.equal(await under(), was)
    const same = async () => {
      const moved = (await locator.boundingBox()).y - box.y
      assert.ok(Math.abs(moved) < 1, `${was} moved by ${moved} px`)
      assert.equal(await under(), was)
    }
    return { context, page, same }
  }

  test('is the same button when a list above it grows, so that it is pressed', async () => {
    const wanted = ['gpu-2', 'gpu-3', 'gpu-4']
    await lease('ann', { targets: ['gpu-1'] })
    const bob = await lease('bob', { targets: wanted })
    const waits = []
    for (const target of wanted) waits.push(await lease('ann', { targets: [target], wait: '1ms' }))
    const last = waits.at(-1).id
    const { context, page, same } = await rest('/', (page) => page.getByLabel(`Cancel request ${last}`, { exact: true }))
    await server.api('POST', `/v1/leases/${bob.id}/release`, { owner: 'bob', targets: ['gpu-2'] })
    await page.locator('#lease tr', { hasText: 'gpu-2' }).waitFor({ timeout: 20_000 })
    await same()
    const comes = page.waitForEvent('framenavigated', (frame) => frame === page.mainFrame())
    await page.mouse.down()
    await page.mouse.up()
    await comes
    const left = (await server.api('GET', '/v1/requests?filter=is:waiting')).items.map((item) => item.id)
    assert.deepEqual(left, [waits[1].id])
    for (const id of left) await server.api('DELETE', `/v1/requests/${id}`)
    await context.close()
  })

  test('stays when a list comes above it, and when that goes again', async () => {
    const { context, page, same } = await rest('/', (page) => page.getByLabel('Lease… from phone'))
    const taken = await lease('ann', { targets: ['gpu-1'], purpose: 'my first' })
    await page.getByText('my first').waitFor({ timeout: 20_000 })
    await same()
    await release(taken)
    await page.getByText('my first').waitFor({ state: 'detached', timeout: 20_000 })
    await same()
    await context.close()
  })

  for (const resource of ['gpu-2', 'gpu-9']) {
    test(`stays when an alert comes above it, which is seen when the pointer leaves: ${resource}`, async () => {
      const { context, page, same } = await rest('/resources', (page) => page.getByLabel(`Lease ${resource}`, { exact: true }))
      writeFileSync(server.pools, 'resources: nonsense')
      await page.locator('#alerts', { hasText: 'Pools file' }).waitFor({ state: 'attached', timeout: 20_000 })
      await same()
      await page.mouse.move(2, 2)
      await until('the alert is in sight', async () => {
        const box = await page.locator('#alerts').boundingBox()
        const top = await page.locator('header.top').boundingBox()
        return (await page.evaluate(() => scrollY)) > 0 || box.y >= top.y + top.height
      })
      writeFileSync(server.pools, POOLS)
      await page.locator('#alerts', { hasText: 'Pools file' }).waitFor({ state: 'detached', timeout: 20_000 })
      await context.close()
    })
  }

  test('stays when the words above it become fewer', async () => {
    const taken = await lease('bob', { targets: ['pixel-7'], purpose: 'long words about what this is for '.repeat(6) })
    const find = (page) => page.getByRole('link', { name: 'Wait for it…' })
    const { context, page, same } = await rest('/resources/pixel-7', find, { width: 700, height: 720 })
    await release(taken)
    await page.getByText('Nobody holds it.').waitFor({ timeout: 20_000 })
    await same()
    await page.mouse.move(2, 2)
    await page.getByRole('link', { name: 'Lease…', exact: true }).waitFor({ timeout: 20_000 })
    await context.close()
  })

  test('stays at the end of a page that becomes shorter', async () => {
    const bobs = []
    for (const target of names.slice(0, 30)) bobs.push(await lease('ann', { targets: [target] }))
    const { context, page, same } = await rest('/', (page) => page.getByLabel('Lease… from phone'))
    for (const one of bobs) await release(one)
    await page.getByText('You hold nothing').waitFor({ timeout: 20_000 })
    await same()
    await page.mouse.move(2, 2)
    await until('nothing is left of it', () => page.evaluate(() => !document.getElementById('main').style.marginBottom))
    await context.close()
  })

  for (const [who, does, what] of [
    ['turns the wheel', (page) => page.mouse.wheel(0, -5000), 'h1'],
    ['uses the keys', (page) => page.keyboard.press('j'), ':focus'],
  ]) {
    test(`is nothing to whoever ${who}: all of the page is within reach`, async () => {
      const { context, page } = await rest('/', (page) => page.locator('table a', { hasText: 'gpu' }).first())
      const taken = []
      for (const target of names.slice(0, 12)) taken.push(await lease('ann', { targets: [target] }))
      await page.locator(`#lease-${taken.at(-1).id}`).waitFor({ timeout: 20_000 })
      await does(page)
      await until('it is in sight', () => page.locator(what).evaluate((node) => node.getBoundingClientRect().top >= 0))
      await context.close()
    })
  }

  test('is nothing to a finger, once it was lifted', async () => {
    const { context, page } = await visit(browser, server, { owner: 'ann', viewport: { width: 390, height: 700 }, hasTouch: true, isMobile: true })
    await page.goto('/leases?sort=-id')
    await page.waitForFunction(() => document.getElementById('live').dataset.state === 'live')
    await lease('bob', { targets: ['gpu-1'] })
    const row = page.locator('tbody tr').first()
    await row.waitFor({ timeout: 20_000 })
    const box = await row.boundingBox()
    await page.touchscreen.tap(box.x + box.width - 3, box.y + 3)
    await lease('bob', { targets: ['gpu-2'], purpose: 'after the tap' })
    await page.getByText('after the tap').waitFor({ timeout: 20_000 })
    assert.equal(await page.evaluate(() => document.getElementById('main').style.marginTop), '')
    await context.close()
  })
})
