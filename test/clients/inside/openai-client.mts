import OpenAI from 'openai'

const client = new OpenAI({ maxRetries: 0 })
if (process.argv[2] === 'allowed') {
  const stream = await client.chat.completions.create({
    model: 'a-model',
    messages: [{ role: 'user', content: 'Say hello.' }],
    stream: true,
  })
  let text = ''
  let chunks = 0
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? ''
    chunks += 1
  }
  console.log(`${text} in ${String(chunks)} chunks`)
} else {
  await client.files.list()
  console.log('listed files')
}
