// Debian's Chromium, and contexts that note whatever goes wrong in them.
import { chromium } from './tools.mjs'

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export const launch = () =>
  chromium.launch({ executablePath: process.env.LESSOR_CHROMIUM, headless: true, args: FLAGS })

// A browser of somebody's own. `troubles` collects errors of scripts and what the policy refused.
export const visit = async (browser, server, { owner, theme, ...options } = {}) => {
  const context = await browser.newContext({ baseURL: server.url, ...options })
  const cookies = { lessor_owner: owner, lessor_theme: theme }
  for (const [name, value] of Object.entries(cookies)) {
    if (value) await context.addCookies([{ name, value: encodeURIComponent(value), url: server.url }])
  }
  const troubles = []
  context.on('page', (page) => {
    page.on('pageerror', (error) => troubles.push(`${page.url()}: ${error}`))
    page.on('dialog', (dialog) => {
      troubles.push(`${page.url()}: a dialog: ${dialog.message()}`)
      dialog.dismiss()
    })
    page.on('console', (message) => {
      if (/Content Security Policy|TrustedHTML|Refused to/.test(message.text())) troubles.push(`${page.url()}: ${message.text()}`)
    })
  })
  const page = await context.newPage()
  return { context, page, troubles }
}

// Clicks and waits for the page that comes, be it the same one again. The pointer goes away: nothing changes under it.
const click = async (page, locator) => {
  const comes = page.waitForEvent('framenavigated', (frame) => frame === page.mainFrame())
  await Promise.all([comes, locator.click()])
  await page.waitForLoadState()
  await page.mouse.move(2, 2)
}

// Presses the first button of that name.
export const press = (page, name) => click(page, page.getByRole('button', { name, exact: true }).first())

// Follows the link of that name.
export const follow = (page, name) => click(page, page.getByRole('link', { name }))
