import Anthropic from '@anthropic-ai/sdk'

const client = new Anthropic({ maxRetries: 0 })
if (process.argv[2] === 'allowed') {
  const stream = await client.messages.create({
    model: 'a-model',
    max_tokens: 100,
    messages: [{ role: 'user', content: 'Say hello.' }],
    stream: true,
  })
  let text = ''
  let events = 0
  for await (const event of stream) {
    if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') text += event.delta.text
    events += 1
  }
  console.log(`${text} in ${String(events)} events`)
} else {
  await client.get('/v1/organizations/api_keys')
  console.log('listed keys')
}
