// Pictures of every page: light, dark, on a phone, of an empty server, of one with 10,000 resources, of a hostile one.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { launch, visit } from './browser.mjs'
import { pages } from './pages.mjs'
import { crowd, empty, hostile, lab, workshop } from './seed.mjs'

const folder = process.env.LESSOR_SCREENSHOTS
const DESK = { width: 1360, height: 900 }
const PHONE = { width: 390, height: 844 }
const only = process.argv.slice(2)

const series = async (browser, name, server, paths, options) => {
  const { context, page, troubles } = await visit(browser, server, options)
  mkdirSync(join(folder, name), { recursive: true })
  for (const [file, path] of Object.entries(paths)) {
    await page.goto(path, { waitUntil: 'load' })
    await page.screenshot({ path: join(folder, name, `${file}.png`), fullPage: true })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    if (wide > 0) console.log(`${name}/${file}: ${wide} px too wide`)
  }
  for (const trouble of troubles) console.log(`${name}: ${trouble}`)
  await context.close()
  console.log(`${name}: ${Object.keys(paths).length} pages`)
}

const browser = await launch()
const wanted = (name) => !only.length || only.includes(name)
try {
  if (['light', 'dark', 'phone'].some(wanted)) {
    const { server, paths } = await lab()
    const owner = 'ann'
    if (wanted('light')) await series(browser, 'light', server, paths, { owner, viewport: DESK, colorScheme: 'light' })
    if (wanted('dark')) await series(browser, 'dark', server, paths, { owner, viewport: DESK, colorScheme: 'dark' })
    if (wanted('phone')) await series(browser, 'phone', server, paths, { owner, viewport: PHONE, colorScheme: 'light' })
    await server.close()
  }
  if (wanted('empty')) {
    const server = await empty()
    const { mine, pools, resources, leases, queue, events, jobs, plugins, status } = pages()
    await series(browser, 'empty', server, { mine, pools, resources, leases, queue, events, jobs, plugins, status, 'lease-form': '/lease' }, { viewport: DESK })
    await server.close()
  }
  if (wanted('hostile')) {
    const { server, name, pool } = await hostile()
    const all = pages({ pool, resource: name, lease: 1, event: 25 })
    await series(browser, 'hostile', server, all, { viewport: DESK })
    await series(browser, 'hostile-phone', server, all, { viewport: PHONE })
    await server.close()
  }
  if (wanted('works')) {
    const { server, paths } = await workshop()
    await series(browser, 'works', server, paths, { owner: 'ann', viewport: DESK })
    await server.close()
  }
  if (wanted('crowd')) {
    const server = await crowd()
    await series(browser, 'crowd', server, pages({ pool: 'pool-00', resource: 'host-00-001', lease: 8 }), { owner: 'ci-7', viewport: DESK })
    await server.close()
  }
} finally {
  await browser.close()
}
