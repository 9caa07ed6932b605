// Keeps a page up to date while somebody looks at it. Every page is whole without it.
const body = document.body
const live = document.getElementById('live')
const words = document.getElementById('live-state')
const pause = document.getElementById('pause')
const say = document.getElementById('say')
const topics = (body.dataset.topics || '').split(' ').filter(Boolean)
const sections = () => document.querySelectorAll('[data-live]')

// The address is where the page is found again, not where a form was sent.
const { here } = body.dataset
if (location.pathname + location.search !== here) history.replaceState(null, '', location.origin + here + location.hash)

// What is said goes away again; what comes meanwhile is said together after it.
let pending = []
let saying = false
const speak = () => {
  const more = pending.length - 3
  say.textContent = pending.slice(0, 3).join(' ') + (more > 0 ? ` And ${more} more.` : '')
  saying = pending.length > 0
  pending = []
  if (saying) setTimeout(speak, 10000)
}
const announce = (text) => {
  pending.push(text)
  if (!saying) speak()
}
if (say.textContent) announce(say.textContent)

/* Times, relative to the server's clock. */
let skew = Date.parse(body.dataset.now) - Date.now()
const units = [[86400, 'd', 3600, 'h'], [3600, 'h', 60, 'min'], [60, 'min', 1, 's']]
const length = (seconds) => {
  for (const [large, name, small, other] of units) {
    if (seconds < large) continue
    const rest = Math.floor((seconds % large) / small)
    return `${Math.floor(seconds / large)} ${name}` + (rest ? ` ${rest} ${other}` : '')
  }
  return `${seconds} s`
}
// What is remembered; a browser that keeps nothing for pages forgets it with the page.
const remember = (storage, name, value) => {
  try {
    return value === undefined ? window[storage].getItem(name) : window[storage].setItem(name, value)
  } catch {
    return null
  }
}
// Once for each end that comes near, whatever page it is seen on.
const warned = JSON.parse(remember('sessionStorage', 'warned') || '{}')
const warn = (row, seconds) => {
  const [, lease] = row.id.match(/^lease-(\d+)$/) || []
  if (!lease || !warned[lease] === seconds >= 300) return
  warned[lease] = seconds < 300
  remember('sessionStorage', 'warned', JSON.stringify(warned))
  if (warned[lease]) announce(`Your lease ${lease} ends in ${length(seconds)}.`)
}
let overdue = false
const tick = () => {
  const now = Date.now() + skew
  overdue = false
  const clock = document.querySelector('[data-clock]')
  if (clock) clock.textContent = `${new Date(now).toISOString().slice(0, 19)}Z`
  for (const time of document.querySelectorAll('time[data-at]')) {
    if (time.textContent === time.dateTime) time.textContent = new Date(time.dateTime).toLocaleString()
  }
  for (const title of document.querySelectorAll('.gantt title')) {
    const text = title.textContent.replace(/\d{4}-[\d-]+T[\d:]+Z/g, (at) => new Date(at).toLocaleString())
    if (title.textContent !== text) title.textContent = text
  }
  for (const time of document.querySelectorAll('time[data-rel]')) {
    const at = Date.parse(time.dateTime)
    const seconds = Math.floor(Math.abs(now - at) / 1000)
    const ahead = time.dataset.rel === 'in'
    const text = !ahead ? `${length(seconds)} ago` : at > now ? `in ${length(seconds)}` : 'now'
    if (time.textContent !== text) time.textContent = text
    if (time.title === time.dateTime) time.title = `${new Date(at).toLocaleString()} (${time.dateTime})`
    // What is long over does not become so by asking again.
    if (ahead && at <= now && seconds < 60) overdue = true
    const row = ahead && at > now && time.closest('tr.mine')
    if (row) warn(row, seconds)
  }
  for (const zone of document.querySelectorAll('[data-zone]')) if (zone.textContent !== 'your time') zone.textContent = 'your time'
}

/* Dates and times are typed as the reader's own, and sent and kept in UTC. */
const moments = (root) => root.querySelectorAll('[type=datetime-local]')
for (const field of moments(document)) {
  const at = new Date(`${field.defaultValue}Z`)
  if (field.defaultValue) field.value = new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16)
}
document.addEventListener('formdata', ({ target, formData }) => {
  for (const { name, value } of moments(target)) if (value) formData.set(name, new Date(value).toISOString())
})

/* Patching: what is the same stays, so that focus, selection and scrolling do. */
const key = (node) => (node.nodeType === 1 && node.id) || ''
const morph = (old, young) => {
  if (old.isEqualNode(young)) return
  // What is typed stays.
  if (old.value && old.matches('input:not([type=hidden]), textarea') && old.name === young.name) return
  if (old.nodeType !== young.nodeType || old.nodeName !== young.nodeName) return old.replaceWith(document.importNode(young, true))
  if (old.nodeType !== 1) return void (old.nodeValue = young.nodeValue)
  for (const { name } of [...old.attributes]) {
    if (!young.hasAttribute(name) && !(name === 'open' && old.nodeName === 'DETAILS')) old.removeAttribute(name)
  }
  for (const { name, value } of young.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value)
  const known = new Map([...old.childNodes].filter(key).map((node) => [key(node), node]))
  let at = old.firstChild
  for (const child of young.childNodes) {
    const mate = key(child) ? known.get(key(child)) : at && !key(at) ? at : null
    if (!mate) {
      const fresh = document.importNode(child, true)
      if (fresh.nodeName === 'TR') fresh.classList.add('fresh')
      old.insertBefore(fresh, at)
      continue
    }
    known.delete(key(child))
    if (mate === at) at = at.nextSibling
    else old.insertBefore(mate, at)
    morph(mate, child)
  }
  while (at) {
    const next = at.nextSibling
    at.remove()
    at = next
  }
}

// Under the pointer nothing moves: rows change where they are, what came and went, and buttons, wait until it leaves.
// A form waits until whoever is at it leaves, and stays for as long as it holds what they typed.
const UNDER = '.aim table:hover, .aim .do:hover:not(td)'
const AT = `${UNDER}, .aim [data-live=forms]:hover, [data-live=forms]:focus-within`
const written = (field) => field.type !== 'hidden' && field.value !== field.defaultValue
const theirs = (forms) => [...forms.querySelectorAll('input, textarea')].some(written)
let waiting = null
const rows = (table) => [...(table ? table.querySelectorAll('tbody > tr[id]') : [])]
const order = (table) => rows(table).map((row) => row.id).join()
const patchRows = (table, page) => {
  for (const row of rows(table)) {
    const other = page.getElementById(row.id)
    if (other) morph(row, other)
    else row.classList.add('gone')
  }
}
// What had the focus gets it back: moving takes it away. Of what is gone, the row; of a gone row, the one in its place.
const refocus = (focus, row, table, at) => {
  if (document.activeElement === focus) return
  const rest = rows(table)
  const place = (row && document.getElementById(row.id)) || rest[Math.min(at, rest.length - 1)]
  const next = focus.isConnected ? focus : place && place.querySelector('.open')
  if (next) next.focus({ preventScroll: true })
}
// What the pointer is on stays where it is on the screen: all of the page is moved by as much, and back when it leaves.
const main = document.getElementById('main')
const GRIP = 'table, .do, [data-live=forms], a, button, summary'
const over = () => [...main.querySelectorAll('.aim :hover')]
const held = (chain) => chain.some((node) => node.matches(GRIP))
const place = (node) => node.getBoundingClientRect().top + scrollY
const long = () => document.documentElement.scrollHeight
const letGo = () => (main.style.marginTop = main.style.marginBottom = '')
const grip = () => {
  const chain = over()
  if (!held(chain)) {
    letGo()
    return () => {}
  }
  const before = { x: scrollX, y: scrollY, length: long(), places: chain.map((node) => [node, place(node)]) }
  const now = (node) => (node.isConnected ? node : node.id && document.getElementById(node.id))
  const margin = (side, by) => (main.style[side] = `${(parseFloat(main.style[side]) || 0) + by}px`)
  return () => {
    const [node, at] = before.places.findLast(([node]) => now(node)) || []
    const by = node ? place(now(node)) - at : 0
    if (by) margin('marginTop', -by)
    // Nor may the page get too short for where it is scrolled to.
    const short = before.length - long()
    if (short > 0) margin('marginBottom', short)
    if (scrollY !== before.y) scrollTo(before.x, before.y)
  }
}
const patch = (page) => {
  const stay = grip()
  const focus = document.activeElement
  const row = focus.closest('tr[id]')
  const table = row && row.closest('table')
  const at = rows(table).indexOf(row)
  waiting = null
  for (const old of sections()) {
    let young = page.getElementById(old.id)
    if (!young) continue
    if (old.dataset.live === 'forms') {
      const at = old.matches(AT)
      if (at) waiting = page
      if (at || theirs(old)) continue
    }
    const part = old.querySelector(UNDER)
    if (part) {
      const isTable = part.nodeName === 'TABLE'
      const alike = part.id ? `#${part.id}` : isTable ? 'table:not([id])' : '.do:not(td)'
      const at = [...old.querySelectorAll(alike)].indexOf(part)
      const other = () => young.querySelectorAll(alike)[at]
      if (!isTable || order(part) !== order(other())) {
        waiting = page
        if (isTable) patchRows(part, page)
        if (!other()) continue
        // Around it, all becomes as it is now.
        young = young.cloneNode(true)
        other().replaceWith(part.cloneNode(true))
      }
    }
    morph(old, young)
  }
  refocus(focus, row, table, at)
  tick()
  stay()
}
const left = () => {
  if (!waiting && !main.style.marginTop && !main.style.marginBottom) return
  requestAnimationFrame(() => {
    if (!held(over())) letGo()
    const at = [...sections()].some((section) => section.matches(AT) || section.querySelector(AT))
    if (waiting && !at) patch(waiting)
  })
}
for (const event of ['mouseout', 'focusout']) document.addEventListener(event, left)
// A finger that was lifted points at nothing, although the browser has it hover there, nor does the mouse of whoever uses
// the keys. Whoever turns the wheel wants to see what is above.
const aim = (aims) => {
  document.documentElement.classList.toggle('aim', aims)
  if (aims) return
  left()
  letGo()
}
aim(matchMedia('(hover: hover)').matches)
for (const event of ['pointermove', 'pointerdown']) document.addEventListener(event, ({ pointerType }) => aim(pointerType !== 'touch'))
document.addEventListener('keydown', () => aim(false), true)
document.addEventListener('wheel', letGo)

// While a form is on its way a reload would take the place of its answer.
let sent = 0
document.addEventListener('submit', () => (sent = Date.now()))
const reload = () => Date.now() - sent > 10000 && location.reload()

let busy = false
let again = false
let seen = Date.now()
const refresh = () => {
  if (busy) return void (again = true)
  busy = true
  // This kind of request gives a document: nothing here makes markup of text.
  const request = new XMLHttpRequest()
  request.responseType = 'document'
  request.timeout = 10000
  request.onloadend = () => {
    busy = false
    seen = Date.now()
    const page = request.response
    if (page && page.body.dataset.now) {
      // Another server, other assets; or what was shown is gone.
      const script = (root) => root.querySelector('script').getAttribute('src')
      if (script(page) !== script(document)) return reload()
      if (request.status < 400) {
        if (!paused() && state === 'offline') show('every 15 s')
        // What has not changed comes out of the browser's cache, with the time when it went in.
        const date = request.getResponseHeader('date')
        if (date) skew = Date.parse(date) - Date.now()
        for (const name of ['seq', 'touched', 'renewed']) body.dataset[name] = page.body.dataset[name]
        patch(page)
      } else if (request.status < 500) return reload()
    } else show('offline')
    if (again) {
      again = false
      refresh()
    }
  }
  request.open('GET', location.href)
  request.setRequestHeader('Lessor-Refresh', '1')
  request.send()
}

/* Signals: one stream for all tabs, held by one that is looked at; the others are told by it. */
// A signal comes at least every 15 s. Two of them are missed by whoever is cut off, or whose server hangs.
const SILENCE = 35000
let heardAt = Date.now()
let state = 'live'
const show = (next) => {
  state = next
  live.dataset.state = next
  words.textContent = next
}
const paused = () => pause.getAttribute('aria-pressed') === 'true'
let last = null
const heard = (signal) => {
  last = signal
  heardAt = Date.now()
  if (document.hidden || paused()) return
  show('live')
  const stale = topics.some((topic) => signal[topic] > Number(body.dataset.seq))
  const differs = (name) => signal[name] !== Number(body.dataset[name])
  const renewed = topics.some((topic) => topic === 'leases' || topic === 'jobs') && differs('renewed')
  if (stale || renewed || differs('touched')) refresh()
}
const channel = new BroadcastChannel('lessor')
channel.onmessage = ({ data }) => {
  if (data === 'ask') stream && last && channel.postMessage(last)
  else heard(data)
}
let stream = null
let hold = null
const listen = () => {
  stream = new EventSource('/ui/signals')
  stream.onmessage = ({ data }) => {
    const signal = JSON.parse(data)
    channel.postMessage(signal)
    heard(signal)
  }
  stream.onerror = () => {
    if (!stream) return
    if (state === 'live') show('offline')
    if (stream.readyState === EventSource.CLOSED) {
      stop()
      setTimeout(start, 5000)
    }
  }
}
const stop = () => {
  if (stream) stream.close()
  stream = null
  if (hold) hold.abort()
  hold = null
}
const start = () => {
  if (hold || document.hidden || paused() || !topics.length) return
  const mine = (hold = new AbortController())
  heardAt = Date.now()
  if (!navigator.locks) return listen()
  channel.postMessage('ask')
  const over = new Promise((resolve) => mine.signal.addEventListener('abort', resolve))
  navigator.locks
    .request('lessor-signals', { signal: mine.signal }, () => {
      if (hold !== mine) return
      listen()
      return over
    })
    .catch(() => {})
}
if (topics.length) {
  live.hidden = false
  show('live')
  pause.addEventListener('click', () => {
    const on = !paused()
    pause.setAttribute('aria-pressed', on)
    pause.textContent = on ? 'Go on' : 'Pause'
    if (on) {
      stop()
      show('paused')
    } else {
      show('live')
      refresh()
      start()
    }
  })
  // A hidden tab costs nothing; one that is shown again catches up.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) stop()
    else if (!paused()) {
      refresh()
      start()
    }
  })
  addEventListener('pagehide', stop)
  addEventListener('pageshow', start)
  start()
}
// Whoever goes back gets the page, and its time, as it was when they left; and so does whoever asks while it is loading.
addEventListener('pageshow', ({ persisted }) => {
  const back = persisted || performance.getEntriesByType('navigation')[0]?.type === 'back_forward'
  if (back) setTimeout(refresh)
})
tick()
setInterval(() => {
  if (document.hidden) return
  tick()
  if (!topics.length || paused()) return
  if (Date.now() - heardAt > SILENCE) {
    if (state === 'live') show('offline')
    stop()
    start()
  }
  // Without a stream there is only asking.
  const age = Date.now() - seen
  if (age > 60000 || (age > 15000 && state !== 'live') || (age > 3000 && overdue)) refresh()
}, 1000)

/* Keys. */
const keys = document.getElementById('keys')
let single = remember('localStorage', 'keys') !== 'off'
if (keys) {
  const button = document.getElementById('keys-switch')
  const draw = () => {
    button.setAttribute('aria-pressed', single)
    button.textContent = single ? 'Single keys are on' : 'Single keys are off'
  }
  keys.hidden = false
  draw()
  button.addEventListener('click', () => {
    single = !single
    remember('localStorage', 'keys', single ? 'on' : 'off')
    draw()
  })
}
const step = (by) => {
  const links = [...document.querySelectorAll('main .open')]
  const at = links.findIndex((link) => link.closest('tr').contains(document.activeElement))
  const next = links[Math.min(Math.max(at + by, 0), links.length - 1)]
  if (next) next.focus()
}
const press = (name) => {
  const row = document.activeElement.closest('tr')
  const button = (row && row.querySelector(`[data-key=${name}]`)) || document.querySelector(`main [data-key=${name}]:not(tr *)`)
  if (button) button.click()
  else if (name === 'l') location.href = '/lease'
}
document.addEventListener('keydown', (event) => {
  const typing = event.target.closest('input, select, textarea')
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !single) return
  const filter = document.getElementById('q')
  const does = {
    '/': () => filter && filter.focus(),
    j: () => step(1),
    k: () => step(-1),
    l: () => press('l'),
    e: () => press('e'),
    '?': () => (location.href = '/help'),
  }[event.key]
  if (!does) return
  event.preventDefault()
  does()
})
