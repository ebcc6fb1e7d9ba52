import { sendJson } from '../tls-server.js'
import { listOf, readObject, startEvents, type ModelApi, type Task } from './model-api.js'

/** The Gemini API: https://ai.google.dev/api/generate-content. */
export function geminiApi({ file, from, to, says }: Task): ModelApi {
  const steps = [
    { name: 'read_file', args: { file_path: file } },
    {
      name: 'replace',
      args: { file_path: file, instruction: 'Change a word', old_string: from, new_string: to },
    },
  ]
  return {
    host: 'generativelanguage.googleapis.com',
    location: 'x-goog-api-key',
    credential: (key) => key,
    answer(request, response, body) {
      const [path = ''] = (request.url ?? '').split('?')
      const [, model, method] = /^\/v1beta\/models\/([\w.-]+):(\w+)$/.exec(path) ?? []
      if (request.method !== 'POST' || model === undefined) return false
      const asked = readObject(body)
      if (method === 'countTokens') sendJson(response, 200, { totalTokens: 10 })
      else if (method === 'generateContent') sendJson(response, 200, answerOf([{ text: '{}' }], model))
      else if (method === 'streamGenerateContent') {
        const contents = listOf(asked['contents'])
        const done = contents.flatMap(({ parts }) =>
          listOf(parts).filter((part) => 'functionResponse' in part),
        ).length
        const has = listOf(asked['tools']).some((tool) =>
          listOf(tool['functionDeclarations']).some(({ name }) => name === 'replace'),
        )
        const step = has ? steps[done] : undefined
        startEvents(response)
        const part = step === undefined ? { text: says } : { functionCall: step }
        response.end(`data: ${JSON.stringify(answerOf([part], model))}\r\n\r\n`)
      } else return false
      return true
    },
  }
}

function answerOf(parts: readonly object[], model: string): object {
  return {
    candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }],
    usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 },
    modelVersion: model,
    responseId: 'r1',
  }
}
