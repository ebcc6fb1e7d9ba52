import { sendJson } from '../tls-server.js'
import { listOf, readObject, sendEvent, startEvents, type ModelApi, type Task } from './model-api.js'
import { acceptWebSocket } from '../websocket.js'

type Fields = Readonly<Record<string, unknown>>

/** The responses API, over HTTP and over a WebSocket: https://platform.openai.com/docs/api-reference/responses. */
export function openaiApi(task: Task): ModelApi {
  return {
    host: 'api.openai.com',
    location: 'authorization',
    credential: (key) => `Bearer ${key}`,
    answer(request, response, body) {
      const [path = ''] = (request.url ?? '').split('?')
      const asked = `${request.method ?? ''} ${path}`
      if (asked === 'GET /v1/models') {
        const data = [{ id: 'gpt-5.2-codex', object: 'model', owned_by: 'openai' }]
        sendJson(response, 200, { object: 'list', data })
      } else if (asked === 'POST /v1/responses') {
        const given = readObject(body)
        if (given['stream'] !== true) return false
        const events = eventsFor(given, task)
        startEvents(response)
        for (const event of events) sendEvent(response, event)
        response.end()
      } else return false
      return true
    },
    upgrade(request, socket) {
      if (request.url !== '/v1/responses') return false
      // What one message has is the input of the next one, too.
      let before: readonly Fields[] = []
      acceptWebSocket(request, socket, (text, send) => {
        const given = readObject(Buffer.from(text))
        if (given['type'] !== 'response.create') return
        before = given['previous_response_id'] == null ? [] : before
        before = [...before, ...listOf(given['input'])]
        const idle = given['generate'] === false
        for (const event of eventsFor({ ...given, input: before }, task, idle)) send(JSON.stringify(event))
      })
      return true
    },
  }
}

/** @param idle whether the model is only to read */
function eventsFor(given: Fields, { file, from, to, says }: Task, idle = false) {
  const { model, tools } = given
  const input = listOf(given['input'])
  if (typeof model !== 'string' || (input.length === 0 && !idle)) throw new Error('no model or no input')
  const steps = [`cat ${file}`, `sed -i s/${from}/${to}/ ${file}`]
  const done = input.filter(({ type }) => String(type).endsWith('_call_output')).length
  const command = steps[done]
  const added = input.filter(({ type }) => type === 'additional_tools').flatMap((one) => listOf(one['tools']))
  const known = [...listOf(tools), ...added].flatMap((tool) => [tool, ...listOf(tool['tools'])])
  const call = command === undefined ? null : callOf(known, command, done)
  const message = {
    ...{ type: 'message', id: 'msg_1', role: 'assistant', status: 'completed' },
    content: [{ type: 'output_text', text: says, annotations: [] }],
  }
  const output = idle ? [] : [call ?? message]
  const usage = {
    ...{ input_tokens: 10, output_tokens: 5, total_tokens: 15 },
    ...{ input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } },
  }
  const made = {
    id: `resp_${String(input.length)}`,
    object: 'response',
    model,
    status: 'in_progress',
    output: [],
  }
  return [
    { type: 'response.created', response: made },
    ...output.flatMap((item) => [
      { type: 'response.output_item.added', output_index: 0, item },
      { type: 'response.output_item.done', output_index: 0, item },
    ]),
    { type: 'response.completed', response: { ...made, status: 'completed', output, usage } },
  ]
}

/** A call of the tool of the agent that runs commands; null if it has none. */
function callOf(tools: readonly Fields[], command: string, index: number): Fields | null {
  const id = `call_${String(index)}`
  const has = (name: string, type: string) =>
    tools.some((one) => one['name'] === name && one['type'] === type)
  if (has('exec', 'custom')) {
    const program = `const done = await tools.exec_command({ cmd: ${JSON.stringify(command)} }); text(done.output)`
    const call = { type: 'custom_tool_call', id: `ctc_${String(index)}`, call_id: id, status: 'completed' }
    return { ...call, namespace: 'functions', name: 'exec', input: program }
  }
  const call = { type: 'function_call', id: `fc_${String(index)}`, call_id: id, status: 'completed' }
  if (has('exec_command', 'function'))
    return { ...call, name: 'exec_command', arguments: JSON.stringify({ cmd: command }) }
  if (has('shell_command', 'function'))
    return { ...call, name: 'shell_command', arguments: JSON.stringify({ command }) }
  return null
}
