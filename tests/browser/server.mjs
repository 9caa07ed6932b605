// The real server on a free port of loopback, with its data in a folder of its own.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// How long the server may take to be ready, and to leave.
const READY_MS = 30_000

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

// Asks again until it is so; fails with the last thing that was wrong.
export const until = async (what, holds, bound = 10_000) => {
  const deadline = Date.now() + bound
  for (;;) {
    let last
    try {
      last = await holds()
      if (last) return last
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) throw new Error(`waited ${bound} ms in vain: ${what} (${last})`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

// Whatever becomes of us, no server is left behind.
const running = new Set()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

export class Server {
  constructor(folder, port) {
    this.folder = folder
    this.port = port
    this.url = `http://127.0.0.1:${port}`
  }

  // Starts one; `pools` is the text of a pools file, if there is to be one.
  static async start({ pools, flags = [], past } = {}) {
    const server = new Server(mkdtempSync(join(tmpdir(), 'lessor-browser-')), await freePort())
    server.flags = flags
    if (pools) {
      server.pools = join(server.folder, 'pools.yaml')
      writeFileSync(server.pools, pools)
    }
    await server.run(past?.(server.folder))
    return server
  }

  async run(more = {}) {
    const flags = ['serve', '--listen', `127.0.0.1:${this.port}`, '--data', join(this.folder, 'data'), ...this.flags]
    if (this.pools) flags.push('--pools', this.pools)
    this.child = spawn(process.env.LESSOR_BIN, flags, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...more } })
    running.add(this.child)
    this.said = ''
    this.child.stderr.on('data', (text) => (this.said = (this.said + text).slice(-4000)))
    const { child } = this
    this.ended = new Promise((resolve) =>
      child.once('exit', () => {
        running.delete(child)
        resolve()
      }),
    )
    await until(
      'the server is ready',
      async () => {
        if (this.child.exitCode !== null) throw new Error(`it ended: ${this.said}`)
        return (await fetch(`${this.url}/readyz`)).ok
      },
      READY_MS,
    )
  }

  // Ends it as an operator would, and waits until it is gone.
  async halt() {
    this.child.kill('SIGTERM')
    await this.ended
  }

  async close() {
    await this.halt()
    rmSync(this.folder, { recursive: true, force: true })
  }

  // A request to the API: its status and JSON.
  async ask(method, path, body) {
    const answer = await fetch(this.url + path, {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    const text = await answer.text()
    return { status: answer.status, body: text ? JSON.parse(text) : null }
  }

  // Uploads a component that `cargo xtask plugins` has built, and installs it.
  async install(name, built, more) {
    const component = readFileSync(join(process.env.LESSOR_COMPONENTS, `${built}.wasm`))
    const kept = await fetch(`${this.url}/v1/components`, { method: 'POST', headers: { 'content-type': 'application/wasm' }, body: component })
    const { digest } = await kept.json()
    return this.api('PUT', `/v1/plugins/${encodeURIComponent(name)}`, { digest, ...more })
  }

  // The same as `ask`, which must work.
  async api(method, path, body) {
    const answer = await this.ask(method, path, body)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
}
