// Every page, whoever looks: valid, accessible, narrow enough, and nothing but text where users wrote.
import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { after, before, describe, test } from 'node:test'
import { launch, visit } from './browser.mjs'
import { pages } from './pages.mjs'
import { empty, hostile, lab, workshop } from './seed.mjs'
import { HtmlValidate, axe } from './tools.mjs'

// Most bytes of a page, of the stylesheet and of the module, compressed.
const BYTES_MAX = { html: 15_000, css: 12_000, js: 6_000 }

const PHONE = { width: 390, height: 844 }

const validator = new HtmlValidate({
  extends: ['html-validate:recommended'],
  rules: {
    // Matters of taste, or of a style that is ours: what is printed is not indented, and void elements are bare.
    'no-trailing-whitespace': 'off',
    'long-title': 'off',
    // A table that is a list of cards on a phone, and a status line, say their roles by their elements.
    'prefer-native-element': ['error', { exclude: ['status', 'alert', 'group', 'img'] }],
    'no-redundant-role': 'off',
    'wcag/h63': 'error',
  },
})

const violations = async (page) => {
  const found = await page.evaluate(async () => {
    const result = await globalThis.axe.run(document, { resultTypes: ['violations'] })
    return result.violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`)
  })
  return found
}

const sites = {
  empty: async () => ({ server: await empty(), paths: pages() }),
  'a laboratory': async () => ({ ...(await lab()), owner: 'ann' }),
  hostile: async () => {
    const { server, name, pool } = await hostile()
    return { server, paths: pages({ pool, resource: name, lease: 1, event: 25 }) }
  },
  'jobs and plugins': workshop,
}

for (const [name, make] of Object.entries(sites)) {
  describe(`every page, ${name}`, () => {
    let browser, site
    before(async () => {
      site = await make()
      browser = await launch()
    })
    after(async () => {
      await browser?.close()
      await site?.server.close()
    })

    const each = async (options, look) => {
      const { server, owner, paths } = site
      const { context, page, troubles } = await visit(browser, server, { owner, ...options })
      const wrong = []
      for (const [key, path] of Object.entries(paths)) {
        const answer = await page.goto(path)
        for (const what of await look(page, answer)) wrong.push(`${key}: ${what}`)
      }
      await context.close()
      assert.deepEqual([...wrong, ...troubles], [])
    }

    test('is valid HTML', () =>
      each({ javaScriptEnabled: false }, async (_, answer) => {
        const report = await validator.validateString(await answer.text())
        const messages = report.results.flatMap((result) => result.messages)
        return messages.map(({ ruleId, message, line, column }) => `${line}:${column} ${ruleId}: ${message}`)
      }))

    for (const colorScheme of ['light', 'dark']) {
      test(`has nothing that axe finds, ${colorScheme}`, () =>
        // The test's own script comes in past the policy; the pages' are held to it elsewhere.
        each({ colorScheme, bypassCSP: true }, async (page) => {
          await page.evaluate(axe)
          return violations(page)
        }))
    }

    test('is small', () =>
      each({ javaScriptEnabled: false }, async (page, answer) => {
        const html = gzipSync(await answer.text()).length
        const assets = await page.locator('link[rel=stylesheet], script').evaluateAll((all) => all.map((one) => one.href || one.src))
        const [css, js] = await Promise.all(assets.map(async (url) => gzipSync(await (await fetch(url)).text()).length))
        const found = { html, css, js }
        return Object.keys(BYTES_MAX).filter((kind) => !(found[kind] <= BYTES_MAX[kind])).map((kind) => `${kind}: ${found[kind]} bytes`)
      }))

    test('fits a phone', () =>
      each({ viewport: PHONE }, async (page) => {
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        return wide > 0 ? [`${wide} px too wide`] : []
      }))

    test('runs nothing that users wrote, and the policy refuses nothing', () =>
      each({}, async (page) => {
        const own = await page.evaluate(() => document.querySelectorAll('script, img:not(.brand img), iframe, [onerror], [onload], [style], style').length)
        return own === 1 ? [] : [`${own} scripts, images and the like instead of one`]
      }))
  })
}
