// What can be done to jobs and plugins, done on their pages and looked for through the API: with a script and without.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { follow, launch, press, visit } from './browser.mjs'
import { Server, until } from './server.mjs'

for (const javaScriptEnabled of [true, false]) {
  describe(javaScriptEnabled ? 'jobs and plugins, with a script' : 'jobs and plugins, without a script', () => {
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

    const install = (more) => server.install('list', 'target-list', { grants: { locker: true }, ...more })
    const plugin = () => server.api('GET', '/v1/plugins/list')
    const look = (id) => server.api('GET', `/v1/jobs/${id}`)
    const phase = (id, wanted) => until(`job ${id} is ${wanted}`, async () => (await look(id)).phase === wanted)
    const start = (...targets) =>
      server.api('POST', '/v1/jobs?wait=20s', {
        target_manager: 'list',
        owner: 'ann',
        acquire_parameters: { Targets: targets.map((ID) => ({ ID })) },
        release_parameters: {},
      })
    const notice = (words) => page.getByText(words).first().waitFor({ timeout: 20_000 })

    test('what was installed is there, with its grants and settings', async () => {
      await install({ settings: { greeting: 'hello there' } })
      await page.goto('/plugins')
      await page.getByRole('link', { name: 'list', exact: true }).first().click()
      await page.getByText('hello there').waitFor({ timeout: 20_000 })
      assert.match(await page.locator('main').innerText(), /Locks on targets\s+yes/)
    })

    test('it is disabled and enabled', async () => {
      await page.goto('/plugins/list')
      await press(page, 'Disable')
      await notice('It takes no calls.')
      assert.equal((await plugin()).state, 'disabled')
      await press(page, 'Enable')
      await notice('It takes calls.')
      assert.equal((await plugin()).state, 'enabled')
    })

    test('it is reloaded, and rolled back', async () => {
      const { digest } = await plugin()
      await page.goto('/plugins/list')
      await press(page, 'Reload')
      await notice('It was read again.')
      await install({ settings: { greeting: 'another' } })
      assert.deepEqual((await plugin()).settings, { greeting: 'another' })
      await page.goto('/plugins/list')
      await press(page, 'Roll back')
      await notice('It runs what it ran before.')
      const { settings, digest: after } = await plugin()
      assert.deepEqual([settings, after], [{ greeting: 'hello there' }, digest])
    })

    test('a job is renewed and ended', async () => {
      const job = await start('a', 'b')
      assert.equal(job.phase, 'leased')
      await page.goto('/jobs')
      await page.getByRole('link', { name: String(job.id), exact: true }).first().click()
      await page.getByLabel('Renew: from now on').fill('3h')
      await press(page, 'Renew')
      await notice('It ends anew, counted from now.')
      assert.equal((await look(job.id)).lock_duration_ms, 10_800_000)
      await press(page, 'End it')
      await phase(job.id, 'completed')
      assert.equal((await server.api('GET', '/v1/locks')).items.length, 0)
    })

    test('what a job holds leads to the job', async () => {
      const job = await start('held')
      await page.goto('/resources/held')
      await page.getByText('A name without a record').waitFor({ timeout: 20_000 })
      assert.equal(await page.getByRole('link', { name: /Take/ }).count(), 0)
      await page.getByRole('link', { name: 'Its job' }).click()
      await page.waitForURL(`**/jobs/${job.id}`)
      await page.getByRole('link', { name: 'Its events' }).click()
      await page.getByText('target-acquired').first().waitFor({ timeout: 20_000 })
      await page.getByRole('link', { name: `job:${job.id}` }).first().click()
      await page.waitForURL(`**/jobs/${job.id}`)
      await page.goto('/leases')
      await page.getByRole('link', { name: 'Its job, lease' }).first().click()
      await page.waitForURL(`**/jobs/${job.id}`)
      await press(page, 'End it')
      await phase(job.id, 'completed')
    })

    test('a length that is none comes back as it was typed', async () => {
      const job = await start('a')
      await page.goto(`/jobs/${job.id}`)
      await page.getByLabel('Renew: from now on').fill('a while')
      await press(page, 'Renew')
      assert.match(await page.getByRole('alert').first().innerText(), /lock_duration/)
      assert.equal(await page.getByLabel('Renew: from now on').inputValue(), 'a while')
      await press(page, 'End it')
      await phase(job.id, 'completed')
    })

    test('a plugin that jobs need stays, and a stuck job is freed by force', async () => {
      const job = await start('c')
      await page.goto('/plugins/list')
      await page.getByLabel('Its name').fill('list')
      await press(page, 'Remove')
      assert.match(await page.getByRole('alert').first().innerText(), /job/)
      await server.api('POST', '/v1/plugins/list/disable')
      await page.goto(`/jobs/${job.id}`)
      await press(page, 'End it')
      await phase(job.id, 'stuck')
      await page.goto(`/jobs/${job.id}`)
      await page.getByLabel('Why').fill('its manager is <gone>')
      await press(page, 'Free it')
      await notice('What it held is free.')
      const over = await look(job.id)
      assert.equal(over.phase, 'failed')
      assert.match(over.reason, /its manager is <gone>$/)
      assert.equal((await server.api('GET', '/v1/locks')).items.length, 0)
      await server.api('POST', '/v1/plugins/list/enable')
    })

    test('all jobs that a filter finds are ended, or freed', async () => {
      const jobs = [await start('many-1'), await start('many-2')]
      const all = async () => {
        await page.goto('/jobs?q=target:many-*')
        await follow(page, 'Do something with all of these…')
      }
      await all()
      await press(page, 'End 2 of yours')
      for (const { id } of jobs) await phase(id, 'completed')
      const last = await start('many-3')
      await all()
      await page.getByLabel('Why').fill('on fire')
      await press(page, 'Free 1')
      const over = await look(last.id)
      assert.equal(over.phase, 'failed')
      assert.match(over.reason, /on fire$/)
    })

    test('it is removed once its name was typed', async () => {
      await page.goto('/plugins/list')
      await page.getByLabel('Its name').fill('lost')
      await press(page, 'Remove')
      assert.match(await page.getByRole('alert').first().innerText(), /must be typed/)
      await page.getByLabel('Its name').fill('list')
      await press(page, 'Remove')
      await notice('It is gone.')
      assert.equal((await server.ask('GET', '/v1/plugins/list')).status, 404)
    })

    test('no script failed and the policy refused nothing', () => assert.deepEqual(troubles, []))
  })
}
