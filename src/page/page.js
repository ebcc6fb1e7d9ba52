'use strict'
// The page of the admin listener. Whatever comes from a sandbox is put into the page as text, never as markup.

const byId = (id) => document.getElementById(id)
const MAX_ROWS = 500
let token = ''

/** Control characters, and what cannot be seen or turns text around, are written out. */
function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu, (char) =>
    char === '\n' ? '\n' : `\\u{${char.codePointAt(0).toString(16)}}`,
  )
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name)
  if (text !== null) made.textContent = visible(text)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}

async function ask(method, path, body) {
  const headers = { authorization: `Bearer ${token}` }
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  const answer = await fetch(path, { method, headers, credentials: 'omit', cache: 'no-store', ...sent })
  const data = await answer.json()
  if (!answer.ok) throw new Error(data.error?.problem ?? `status ${answer.status}`)
  return data
}

function say(text) {
  byId('status').textContent = visible(text)
}

// Approvals

const shown = new Map()

async function refreshApprovals() {
  const { approvals } = await ask('GET', '/approvals')
  const pending = approvals.filter(({ state }) => state === 'pending')
  const ids = new Set(pending.map(({ id }) => id))
  for (const [id, row] of shown) {
    if (ids.has(id)) continue
    row.remove()
    shown.delete(id)
  }
  for (const { id } of pending) {
    if (shown.has(id)) continue
    // All of the body: what is decided about is shown whole.
    const { approval } = await ask('GET', `/approvals/${encodeURIComponent(id)}`)
    const row = approvalRow(approval)
    shown.set(id, row)
    byId('approvals').append(row)
  }
  byId('no-approvals').hidden = shown.size > 0
  document.title = shown.size > 0 ? `(${shown.size}) egress` : 'egress'
}

function approvalRow(approval) {
  const row = element('li', null, { 'data-id': approval.id })
  const title = `${approval.method} ${approval.url}`
  row.append(element('h3', title))
  const facts = element('dl', null)
  const fact = (name, text) => facts.append(element('dt', name), element('dd', text))
  fact('Approval', `${approval.id}, until ${approval.expires}`)
  fact('Sandbox', `${approval.sandbox}, agent ${approval.agent}`)
  fact('Credential', approval.credential ?? 'none')
  for (const rule of approval.rules) fact('Rule', `${rule.id}: ask ${rule.text}`)
  if (approval.operations !== null) fact('Operations', approval.operations)
  for (const [name, value] of approval.headers) fact(`Header ${name}`, value)
  if (approval.more_headers > 0) fact('More headers', `${approval.more_headers}, which are not shown`)
  fact('Body', `${approval.body.bytes} bytes, SHA-256 ${approval.body.sha256}`)
  fact('Approving adds', approval.adds.once)
  row.append(facts)
  if (approval.body.content !== '') {
    const label = `Body of ${approval.id}${approval.body.encoding === 'base64' ? ', in base64' : ''}`
    row.append(element('pre', approval.body.content, { tabindex: '0', role: 'region', 'aria-label': label }))
  }
  const actions = element('div', null, { class: 'actions' })
  const action = (text, verb, body) => {
    const button = element('button', text, { type: 'button', 'aria-label': `${text}: ${visible(title)}` })
    button.addEventListener('click', () => void decide(row, approval.id, verb, body))
    actions.append(button)
  }
  action('Approve once', 'approve', {})
  action('Approve for 15 minutes', 'approve', { for: '15m' })
  action('Deny', 'deny', {})
  row.append(actions)
  return row
}

async function decide(row, id, verb, body) {
  for (const button of row.querySelectorAll('button')) button.disabled = true
  try {
    await ask('POST', `/approvals/${encodeURIComponent(id)}/${verb}`, body)
    say(verb === 'approve' ? `Approved ${id}` : `Denied ${id}`)
  } catch (error) {
    say(error.message)
  }
  await refreshApprovals()
  // The button that had the focus is gone.
  const next = byId('approvals').querySelector('button') ?? byId('decisions')
  next.focus()
}

// Decisions

const items = []
const MAX_ITEMS = 2 * MAX_ROWS
let namesChanged = true

function matches({ what, reason, verdict, agent, suspicious }) {
  const text = byId('filter-text').value.toLowerCase()
  const wanted = byId('filter-verdict').value
  const wantedAgent = byId('filter-agent').value.toLowerCase()
  if (text !== '' && !`${what} ${reason ?? ''}`.toLowerCase().includes(text)) return false
  if (wanted === 'suspicious' ? !suspicious : wanted !== '' && wanted !== verdict) return false
  return wantedAgent === '' || (agent ?? '').toLowerCase().includes(wantedAgent)
}

function itemRow(item) {
  const row = element('li', null)
  const word = { allow: 'ALLOW', deny: 'DENY' }[item.verdict] ?? 'INFO'
  row.append(
    element('span', `${item.time.slice(11, 19)} `),
    element('span', `${word} `, { class: item.verdict ?? '' }),
    element('span', item.what),
    element(
      'span',
      `${item.reason === null ? '' : ` ${item.reason}`} ${item.agent ?? ''} ${item.sandbox ?? ''}`,
    ),
  )
  if (item.suspicious) {
    row.classList.add('attempt')
    row.append(element('strong', ' looks like data carried out', { class: 'suspicious' }))
  }
  if (item.request !== null || item.type === 'query') {
    const button = element('button', 'Story', {
      type: 'button',
      'aria-label': `Story of ${visible(item.what)}`,
    })
    button.addEventListener('click', () => tell(item))
    row.append(' ', button)
  }
  return row
}

// One request: its DNS query, its decisions, its end

/** How long before a request its name may have been looked up, in milliseconds. */
const LOOKED_UP_MS = 300_000

function storyOf({ request, host, sandbox, time, n }) {
  const same =
    request === null ? items.filter((one) => one.n === n) : items.filter((one) => one.request === request)
  const isQuery = (one) =>
    one.type === 'query' &&
    one.host === host &&
    one.sandbox === sandbox &&
    one.n < n &&
    Date.parse(time) - Date.parse(one.time) < LOOKED_UP_MS
  const query = request === null ? undefined : items.findLast(isQuery)
  return query === undefined ? same : [query, ...same]
}

function tell(item) {
  const rows = storyOf(item).map((one) => {
    const row = element('li', null)
    const word = { allow: 'ALLOW', deny: 'DENY' }[one.verdict] ?? (one.type === 'close' ? 'END' : 'INFO')
    row.append(element('h3', `${one.time.slice(11, 23)} ${word} ${one.what}`, { class: one.verdict ?? '' }))
    const facts = element('dl', null)
    const all = [['sandbox', one.sandbox], ['agent', one.agent], ['reason', one.reason], ...one.facts]
    for (const [name, value] of all)
      if (value !== null) facts.append(element('dt', name), element('dd', value))
    row.append(facts)
    return row
  })
  byId('story').replaceChildren(...rows)
  byId('no-story').hidden = rows.length > 0
  byId('story-title').focus()
  byId('story-section').scrollIntoView({ block: 'start' })
}

// Names, by the domain under which somebody may have one for everything

const MAX_DOMAINS = 50
const SHOWN_NAMES = 5

function renderNames() {
  const domains = new Map()
  for (const { type, domain, host, verdict, suspicious, sandbox } of items) {
    if (type !== 'query' || domain === null) continue
    const known = domains.get(domain) ?? {
      names: new Set(),
      sandboxes: new Set(),
      denied: 0,
      asked: 0,
      attempts: 0,
    }
    domains.set(domain, known)
    known.names.add(host)
    known.sandboxes.add(sandbox ?? 'unknown')
    known.asked += 1
    if (verdict === 'deny') known.denied += 1
    if (suspicious) known.attempts += 1
  }
  const sorted = [...domains].sort(([, a], [, b]) => b.attempts - a.attempts || b.asked - a.asked)
  byId('names').replaceChildren(...sorted.slice(0, MAX_DOMAINS).map(nameRow))
  byId('no-names').hidden = domains.size > 0
}

function nameRow([domain, { names, sandboxes, denied, asked, attempts }]) {
  const row = element('li', null, attempts > 0 ? { class: 'attempt' } : {})
  const characters = [...names].reduce((sum, name) => sum + Math.max(0, name.length - domain.length), 0)
  row.append(element('strong', domain))
  if (attempts > 0)
    row.append(
      element('strong', ` ${attempts} of ${asked} queries look like data carried out`, {
        class: 'suspicious',
      }),
    )
  row.append(
    element(
      'p',
      `Queries: ${asked}, denied: ${denied}. Names: ${names.size}, with ${characters} characters before the domain. From ${[...sandboxes].join(', ')}`,
    ),
    element('p', [...names].slice(-SHOWN_NAMES).join(', '), { class: 'names' }),
  )
  return row
}

// The last hour

function renderTimeline(minutes) {
  const sum = (key) => minutes.reduce((total, minute) => total + minute[key], 0)
  const words = `${sum('allowed')} allowed, ${sum('denied')} denied, ${sum('attempts')} look like data carried out`
  byId('timeline-words').textContent = words
  const graph = byId('timeline')
  graph.setAttribute('aria-label', `Decisions by the minute: ${words}`)
  const most = Math.max(1, ...minutes.map(({ allowed, denied }) => allowed + denied))
  const width = 600 / minutes.length
  const bar = (index, bottom, count, name) => {
    const height = (count / most) * 80
    const made = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
    const at = { x: index * width + 1, y: 80 - bottom - height, width: width - 2, height, class: name }
    for (const [key, value] of Object.entries(at)) made.setAttribute(key, String(value))
    graph.append(made)
    return bottom + height
  }
  graph.replaceChildren()
  for (const [index, { allowed, denied, attempts }] of minutes.entries()) {
    const plain = Math.max(0, denied - attempts)
    bar(index, bar(index, bar(index, 0, allowed, 'allow'), plain, 'deny'), denied - plain, 'attempts')
  }
  byId('timeline-rows').replaceChildren(
    ...minutes
      .filter(({ allowed, denied }) => allowed + denied > 0)
      .map(({ time, allowed, denied, attempts }) => {
        const row = element('tr', null)
        row.append(element('th', time.slice(11, 16), { scope: 'row' }))
        for (const count of [allowed, denied, attempts]) row.append(element('td', count))
        return row
      }),
  )
}

function renderDecisions() {
  const rows = items
    .filter((item) => item.type !== 'close' && matches(item))
    .slice(-MAX_ROWS)
    .reverse()
    .map(itemRow)
  byId('decisions').replaceChildren(...rows)
}

function take(item) {
  items.push(item)
  if (items.length > MAX_ITEMS) items.shift()
  if (item.type === 'approval') void refreshApprovals().catch(() => undefined)
  if (item.type === 'policy') void refreshPolicy().catch(() => undefined)
  if (item.type === 'query') namesChanged = true
  // The end of a request is in its story.
  if (item.type === 'close' || !matches(item)) return
  const list = byId('decisions')
  list.prepend(itemRow(item))
  while (list.childElementCount > MAX_ROWS) list.lastElementChild.remove()
}

async function follow() {
  const headers = { authorization: `Bearer ${token}` }
  items.length = 0
  const answer = await fetch('/events', { headers, credentials: 'omit', cache: 'no-store' })
  if (!answer.ok) throw new Error(`status ${answer.status}`)
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) throw new Error('the connection ended')
    const parts = (rest + value).split('\n\n')
    rest = parts.pop() ?? ''
    for (const part of parts) if (part.startsWith('data: ')) take(JSON.parse(part.slice(6)))
  }
}

// The policy

async function refreshPolicy() {
  const { text } = await ask('GET', '/policy')
  byId('policy').textContent = visible(text)
}

// Sandboxes and budgets

async function refreshOthers() {
  const { sandboxes = [] } = await ask('GET', '/sandboxes')
  byId('sandboxes').replaceChildren(
    ...sandboxes.map(({ id, agent, state, command, requests }) =>
      element(
        'li',
        `${id}: agent ${agent}, ${state}, ${command}; ${requests.allowed} allowed, ${requests.denied} denied, ${requests.failed} failed, ${requests.limited} limited`,
      ),
    ),
  )
  renderTimeline((await ask('GET', '/timeline')).minutes)
  const { budgets } = await ask('GET', '/budgets')
  byId('budgets').replaceChildren(
    ...budgets.map(({ sandbox, wildcard, bytes, limit }) => {
      const text = `${wildcard}, ${sandbox}: ${bytes} of ${limit} bytes per day`
      const row = element('li', text)
      const bar = element('progress', null, {
        max: String(limit),
        value: String(bytes),
        'aria-label': visible(text),
      })
      row.append(bar)
      return row
    }),
  )
}

async function forever(work, pauseMs) {
  for (;;) {
    try {
      await work()
      say('Connected')
    } catch (error) {
      say(`Not connected: ${error.message}`)
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

for (const id of ['filter-text', 'filter-verdict', 'filter-agent'])
  byId(id).addEventListener('input', renderDecisions)

byId('login').addEventListener('submit', (event) => {
  event.preventDefault()
  token = byId('token').value
  byId('token').value = ''
  refreshApprovals().then(
    () => {
      byId('login').hidden = true
      for (const section of document.querySelectorAll('section')) section.hidden = false
      say('Connected')
      void forever(follow, 2000)
      setInterval(() => void refreshApprovals().catch(() => undefined), 3000)
      void forever(refreshOthers, 5000)
      void refreshPolicy().catch((error) => say(error.message))
      setInterval(() => {
        // A flood of queries changes the list once a while, not each time.
        if (namesChanged) renderNames()
        namesChanged = false
      }, 500)
    },
    (error) => say(error.message),
  )
})
