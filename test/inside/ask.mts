import { appendFileSync, readFileSync } from 'node:fs'
import { writeHeapSnapshot } from 'node:v8'

// An agent in Node: sends the requests of a file, keeps what it got in memory and in a file, writes its heap, and stays.
interface Request {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

const [, , requests = '', out = ''] = process.argv
const fill = (text: string) =>
  text.replace(/\{([A-Z_]+)\}/g, (_, name: string) => process.env[name] ?? 'missing')
const kept: string[] = [process.env['PLANTED'] ?? '']
for (const { method, url, headers, body } of JSON.parse(readFileSync(requests, 'utf8')) as Request[]) {
  const filled = Object.entries(headers).map(([name, value]): [string, string] => [name, fill(value)])
  const answer = await fetch(fill(url), { method, headers: filled, body, redirect: 'manual' })
  kept.push(`${String(answer.status)} ${JSON.stringify([...answer.headers])}\n${await answer.text()}\n`)
}
appendFileSync(`${out}/responses-node`, kept.join(''))
writeHeapSnapshot(`${out}/heap-node`)
console.log('ready')
process.stdin.resume().on('end', () => console.log(kept.length))
