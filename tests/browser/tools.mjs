// What is fetched lies outside of this folder; `cargo xtask` says where.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const folder = process.env.LESSOR_NODE_TOOLS
if (!folder) throw new Error('run this with `cargo xtask test --only browser` or `cargo xtask screenshots`')
const require = createRequire(`${folder}/package.json`)

export const { chromium } = require('playwright-core')
export const { HtmlValidate } = require('html-validate')
export const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
