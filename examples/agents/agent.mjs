// An example agent: it reads the open issues, asks a model about them, and files a new one. Nothing in it knows of the
// gateway. Its token is a placeholder, its host names lead to the gateway because DNS says so, and the gateway's certificate is trusted
// because NODE_EXTRA_CA_CERTS names it. Node alone is needed.
console.log(`agent: started as uid ${process.getuid?.()}, with ${process.env.JIRA_TOKEN ?? 'no token'}`)

import { request as httpRequest } from 'node:http'
import https from 'node:https'
import { text } from 'node:stream/consumers'
import tls from 'node:tls'

const { JIRA_TOKEN, LLM_API_KEY, JIRA_BASE_URL, HTTPS_PROXY } = process.env
const JIRA = process.env.JIRA_SERVER ?? 'https://jira.demo.example'
const LLM = 'https://llm.demo.example'
const jiraHeaders = { authorization: `Bearer ${JIRA_TOKEN}`, 'content-type': 'application/json' }

const issues = await readIssues()
const advice = await askModel(`Which of these comes first? ${issues.join(', ')}`)
await fileIssue(`Follow the advice: ${advice}`)
await whoAmIByRoute()
await whoAmIByProxy()
await tryWhatIsNotAllowed()
console.log('agent: done')

/** The transparent listener, with `fetch`: an ordinary URL and nothing configured. */
async function readIssues() {
  const response = await fetch(`${JIRA}/rest/api/2/search?jql=status%3DOpen`, { headers: jiraHeaders })
  const { issues } = await succeeded(response).json()
  const summaries = issues.map(({ key, fields }) => `${key} ${fields.summary}`)
  console.log(`agent: ${issues.length} open issues (${summaries.join('; ')})`)
  return summaries
}

/** A streamed answer, event by event; the delay says whether anything on the way held it back. */
async function askModel(prompt) {
  const response = await fetch(`${LLM}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': LLM_API_KEY, 'content-type': 'application/json' },
    body: JSON.stringify({ stream: true, messages: [{ role: 'user', content: prompt }] }),
  })
  let answer = ''
  let slowest = 0
  let events = 0
  for await (const event of serverSentEvents(succeeded(response).body)) {
    slowest = Math.max(slowest, Date.now() - event.sent)
    events += 1
    answer += event.delta?.text ?? ''
  }
  console.log(`agent: the model said "${answer}" in ${events} events, each here within ${slowest} ms`)
  if (slowest > 1000) throw new Error('the stream was held back')
  return answer
}

/** The transparent listener again, with `node:https`. */
async function fileIssue(summary) {
  const body = JSON.stringify({ fields: { summary } })
  const request = https.request(`${JIRA}/rest/api/2/issue`, { method: 'POST', headers: jiraHeaders })
  const response = await answerTo(request, body)
  const { key } = JSON.parse(await text(response))
  console.log(`agent: filed ${key} (${response.statusCode})`)
}

/** The base-URL listener: a base URL instead of a host name, plain HTTP as far as the gateway, and no credential at all. */
async function whoAmIByRoute() {
  const response = await fetch(`${JIRA_BASE_URL}/rest/api/2/myself`)
  const { displayName } = await succeeded(response).json()
  console.log(`agent: I am ${displayName}, says ${JIRA_BASE_URL}`)
}

/** The explicit proxy: CONNECT, then TLS inside. */
async function whoAmIByProxy() {
  const { hostname, port } = new URL(HTTPS_PROXY)
  const { hostname: host } = new URL(JIRA)
  const connect = httpRequest({ host: hostname, port, method: 'CONNECT', path: `${host}:443` })
  const socket = await new Promise((resolve, reject) => {
    connect.once('connect', (response, tunnel) => {
      if (response.statusCode === 200) resolve(tunnel)
      else reject(new Error(`CONNECT answered ${response.statusCode}`))
    })
    connect.once('error', reject)
    connect.end()
  })
  const createConnection = () => tls.connect({ socket, servername: host })
  const response = await answerTo(
    https.request(`${JIRA}/rest/api/2/myself`, { headers: jiraHeaders, createConnection, agent: false }),
  )
  const { displayName } = JSON.parse(await text(response))
  console.log(`agent: I am ${displayName}, says ${HTTPS_PROXY}`)
  socket.destroy()
}

/** Denials say what happened and why. */
async function tryWhatIsNotAllowed() {
  const response = await fetch(`${JIRA}/rest/api/2/issue/DEMO-1`, { method: 'DELETE', headers: jiraHeaders })
  const denial = await response.json()
  console.log(
    `agent: DELETE was denied with ${response.status} (${denial.reason ?? denial.title ?? denial.detail})`,
  )
  const lookup = await fetch('https://attacker.example/').catch((error) => error.cause ?? error)
  console.log(`agent: attacker.example is ${lookup.code ?? lookup.status}`)
}

async function answerTo(request, body) {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    request.once('error', reject)
    request.end(body)
  })
}

function succeeded(response) {
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`)
  return response
}

async function* serverSentEvents(body) {
  let pending = ''
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    pending += chunk
    const events = pending.split('\n\n')
    pending = events.pop()
    for (const event of events) {
      const data = event.split('\n').find((line) => line.startsWith('data: '))
      if (data !== undefined) yield JSON.parse(data.slice('data: '.length))
    }
  }
}
