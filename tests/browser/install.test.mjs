// A plugin is uploaded and installed on pages, and looked for through the API: with a script and without.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { launch, press, visit } from './browser.mjs'
import { Server } from './server.mjs'

const component = (name) => join(process.env.LESSOR_COMPONENTS, `${name}.wasm`)

for (const javaScriptEnabled of [true, false]) {
  describe(javaScriptEnabled ? 'installing a plugin, with a script' : 'installing a plugin, without a script', () => {
    let browser, server, page, troubles
    before(async () => {
      server = await Server.start()
      browser = await launch()
      ;({ page, troubles } = await visit(browser, server, { javaScriptEnabled, owner: 'ann' }))
    })
    after(async () => {
      await browser?.close()
      await server?.close()
    })

    const upload = async (file) => {
      await page.goto('/plugins')
      await page.getByLabel('A component to install').setInputFiles(file)
      await press(page, 'Upload')
    }
    const alert = () => page.getByRole('alert').first().innerText()

    test('what is no component is refused on the page', async () => {
      const file = join(server.folder, 'text.wasm')
      writeFileSync(file, 'hello')
      await upload(file)
      assert.match(await alert(), /no component|not a component/i)
      assert.equal(await page.getByLabel('A component to install').count(), 1)
    })

    test('nothing is refused, too', async () => {
      await page.goto('/plugins')
      await page.getByLabel('A component to install').evaluate((field) => field.removeAttribute('required'))
      await press(page, 'Upload')
      assert.match(await alert(), /choose a file/)
    })

    test('it says what it wants, and gets what it is given', async () => {
      await upload(component('target-list'))
      assert.match(await page.locator('main').innerText(), /It wants locker/)
      assert.equal(await page.getByLabel('Its name').inputValue(), 'target-list')
      assert.equal(await page.getByLabel('locker').isChecked(), true)
      assert.equal(await page.getByLabel('inventory').isChecked(), false)
      await page.getByLabel('Its name').fill('list')
      await page.getByLabel('Settings, as JSON').fill('{"greeting": "hello <there>"}')
      await press(page, 'Install')
      await page.getByText('It is installed').first().waitFor({ timeout: 20_000 })
      const { state, settings, grants } = await server.api('GET', '/v1/plugins/list')
      assert.deepEqual([state, settings, grants.locker, grants.inventory], ['enabled', { greeting: 'hello <there>' }, true, false])
      assert.match(await page.locator('main').innerText(), /hello <there>/)
    })

    test('one of the same name is replaced only if that was said', async () => {
      await upload(component('target-list'))
      await page.getByLabel('Its name').fill('list')
      await page.getByLabel('Settings, as JSON').fill('{"greeting": "again"}')
      await press(page, 'Install')
      assert.match(await alert(), /called so already/)
      assert.equal((await server.api('GET', '/v1/plugins/list')).settings.greeting, 'hello <there>')
      assert.equal(await page.getByLabel('Settings, as JSON').inputValue(), '{"greeting": "again"}')
      await page.getByLabel('It takes the place').check()
      await press(page, 'Install')
      assert.match(await alert(), /what you left empty/)
      assert.equal(await page.getByLabel('Settings, as JSON').inputValue(), '{"greeting": "again"}')
      await press(page, 'Install')
      await page.getByText('It is installed').first().waitFor({ timeout: 20_000 })
      assert.equal((await server.api('GET', '/v1/plugins/list')).settings.greeting, 'again')
    })

    test('one in the place of another begins with what that one has, and keeps its limits', async () => {
      const digest = (await server.api('GET', '/v1/plugins/list')).digest
      const kept = { settings: { a: 1 }, grants: { locker: true, inventory: true }, limits: { cpu_ms: 9000 }, warm: true }
      await server.api('PUT', '/v1/plugins/target-list', { digest, ...kept })
      await upload(component('target-list'))
      assert.match(await page.locator('main').innerText(), /its limits stay as they are/)
      await page.getByLabel('It takes the place').check()
      await press(page, 'Install')
      await page.getByText('It is installed').first().waitFor({ timeout: 20_000 })
      const { settings, grants, limits, warm } = await server.api('GET', '/v1/plugins/target-list')
      assert.deepEqual([settings, grants.inventory, limits.cpu_ms, warm], [{ a: 1 }, true, 9000, true])
    })

    test('what is missing or not allowed is said, and what was typed stays', async () => {
      await upload(component('target-list'))
      await page.getByLabel('Its name').fill('other')
      await page.getByLabel('locker').uncheck()
      await press(page, 'Install')
      assert.match(await alert(), /locker/)
      assert.equal(await page.getByLabel('locker').isChecked(), false)
      await page.getByLabel('locker').check()
      await page.getByLabel('endpoints, one a line').fill('lab http://lab.example/api secret=token private')
      await press(page, 'Install')
      assert.match(await alert(), /plugin-grants|token/)
      assert.equal(await page.getByLabel('endpoints, one a line').inputValue(), 'lab http://lab.example/api secret=token private')
      await page.getByLabel('Settings, as JSON').fill('{')
      await press(page, 'Install')
      assert.match(await alert(), /settings: is not JSON/)
      assert.equal((await server.ask('GET', '/v1/plugins/other')).status, 404)
    })

    test('no script failed and the policy refused nothing', () => assert.deepEqual(troubles, []))
  })
}
