import { sendJson } from '../tls-server.js'
import {
  editInText,
  listOf,
  readObject,
  sendEvent,
  startEvents,
  type ModelApi,
  type Task,
} from './model-api.js'

const MODELS = ['claude-opus-4-6', 'claude-sonnet-4-6', 'claude-haiku-4-5']

/** The messages API: https://docs.anthropic.com/en/api/messages. */
export function anthropicApi(task: Task): ModelApi {
  const { file, from, to, says } = task
  const steps = [
    { name: 'Read', input: { file_path: file } },
    { name: 'Edit', input: { file_path: file, old_string: from, new_string: to } },
  ]
  return {
    host: 'api.anthropic.com',
    location: 'x-api-key',
    credential: (key) => key,
    answer(request, response, body) {
      const [path = ''] = (request.url ?? '').split('?')
      const asked = `${request.method ?? ''} ${path}`
      if (asked === 'GET /api/hello') sendJson(response, 200, { message: 'hello' })
      else if (asked === 'GET /v1/models') {
        const data = MODELS.map((id) => ({
          type: 'model',
          id,
          display_name: id,
          created_at: '2026-01-01T00:00:00Z',
        }))
        sendJson(response, 200, { data, has_more: false, first_id: data[0]?.id, last_id: data.at(-1)?.id })
      } else if (asked === 'POST /v1/messages/count_tokens') sendJson(response, 200, { input_tokens: 10 })
      else if (asked === 'POST /v1/messages') {
        const { messages, tools, stream, model, max_tokens: limit } = readObject(body)
        if (typeof model !== 'string' || typeof limit !== 'number' || listOf(messages).length === 0)
          return false
        const said = editInText(JSON.stringify(messages), task) ?? says
        const done = resultsIn(listOf(messages))
        const step = listOf(tools).some(({ name }) => name === 'Edit') ? steps[done] : undefined
        const content =
          step === undefined
            ? { type: 'text', text: said }
            : { type: 'tool_use', id: `toolu_${String(done)}`, ...step }
        const message = {
          ...{ id: 'msg_1', type: 'message', role: 'assistant', model, stop_sequence: null },
          usage: { input_tokens: 10, output_tokens: 1 },
        }
        const reason = step === undefined ? 'end_turn' : 'tool_use'
        if (stream !== true) {
          sendJson(response, 200, { ...message, content: [content], stop_reason: reason })
          return true
        }
        startEvents(response)
        sendEvent(response, {
          type: 'message_start',
          ...{ message: { ...message, content: [], stop_reason: null } },
        })
        const begin = step === undefined ? { type: 'text', text: '' } : { ...content, input: {} }
        const delta =
          step === undefined
            ? { type: 'text_delta', text: said }
            : { type: 'input_json_delta', partial_json: JSON.stringify(step.input) }
        sendEvent(response, { type: 'content_block_start', ...{ index: 0, content_block: begin } })
        sendEvent(response, { type: 'content_block_delta', ...{ index: 0, delta } })
        sendEvent(response, { type: 'content_block_stop', ...{ index: 0 } })
        sendEvent(response, {
          type: 'message_delta',
          ...{ delta: { stop_reason: reason, stop_sequence: null }, usage: { output_tokens: 5 } },
        })
        sendEvent(response, { type: 'message_stop' })
        response.end()
      } else return false
      return true
    },
  }
}

/** How many tools have given a result. */
function resultsIn(messages: readonly Readonly<Record<string, unknown>>[]): number {
  return messages.flatMap(({ content }) => listOf(content).filter(({ type }) => type === 'tool_result'))
    .length
}
