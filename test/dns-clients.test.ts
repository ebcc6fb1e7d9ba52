import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeWorkspace } from './fixtures/run.js'

// The resolvers that programs are built with, in a sandbox: an allowed name has an address, another fails at once, and the
// audit log shows that nobody asked twice or tried the name below another one.

const policyFor = (clients: number) =>
  `allow:\n  - host: "*.wild.example.com"\n${Array.from({ length: clients }, (_, index) => `  - host: api-${String(index)}.example.com\n`).join('')}`

/** What musl makes of a name, in a program of its own without any library. */
const MUSL = `
#include <netdb.h>
#include <arpa/inet.h>
#include <stdio.h>
int main(int argc, char **argv) {
  struct addrinfo *found, hints = { .ai_socktype = SOCK_STREAM };
  int fault = getaddrinfo(argv[1], 0, &hints, &found);
  char text[INET6_ADDRSTRLEN];
  if (fault) { printf("%s\\n", gai_strerror(fault)); return 1; }
  printf("%s\\n", inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof text));
}
`

const PYTHON = `import socket,sys
try: print(socket.getaddrinfo(sys.argv[1], 443)[0][4][0])
except socket.gaierror as e: print(e); sys.exit(1)`

const NODE_LOOKUP = `require('dns').lookup(process.argv[1], (e, a) => { console.log(e ? e.code : a); process.exit(e ? 1 : 0) })`
const NODE_RESOLVE = `require('dns').resolve4(process.argv[1], (e, a) => { console.log(e ? e.code : a[0]); process.exit(e ? 1 : 0) })`

interface Client {
  readonly name: string
  readonly needs: string
  readonly command: (host: string) => readonly string[]
  /** What it says of a name that does not exist. */
  readonly missing: RegExp
  /** Queries for one name: the address families that it asks for. */
  readonly queries: number
}

const CLIENTS: readonly Client[] = [
  {
    name: 'glibc',
    needs: 'getent',
    command: (host) => ['getent', 'ahosts', host],
    missing: /^$/,
    queries: 1,
  },
  {
    name: 'musl',
    needs: 'musl-gcc',
    command: (host) => ['./musl', host],
    missing: /does not resolve/,
    queries: 2,
  },
  {
    name: 'python',
    needs: 'python3',
    command: (host) => ['python3', '-c', PYTHON, host],
    missing: /not known/,
    queries: 2,
  },
  {
    name: 'node lookup',
    needs: 'node',
    command: (host) => ['node', '-e', NODE_LOOKUP, host],
    missing: /ENOTFOUND/,
    queries: 2,
  },
  {
    name: 'node c-ares',
    needs: 'node',
    command: (host) => ['node', '-e', NODE_RESOLVE, host],
    missing: /ENOTFOUND/,
    queries: 1,
  },
  {
    name: 'dig',
    needs: 'dig',
    command: (host) => ['dig', host],
    missing: /status: NXDOMAIN[\s\S]*EDE: 15 \(Blocked\)/,
    queries: 1,
  },
  {
    name: 'dig +tcp',
    needs: 'dig',
    command: (host) => ['dig', '+tcp', host],
    missing: /status: NXDOMAIN/,
    queries: 1,
  },
  {
    name: 'drill',
    needs: 'drill',
    command: (host) => ['drill', host],
    missing: /rcode: NXDOMAIN/,
    queries: 1,
  },
  { name: 'kdig', needs: 'kdig', command: (host) => ['kdig', host], missing: /status: NXDOMAIN/, queries: 1 },
]

/** Runs each client's commands, and prints the output, exit code and time of each. */
const SCRIPT = `import json,subprocess,time
def run(words):
    begin = time.monotonic()
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return {'out': done.stdout, 'code': done.returncode, 'ms': (time.monotonic() - begin) * 1000}
print(json.dumps([[run(words) for words in commands] for commands in json.load(open('commands.json'))]))`

interface Ended {
  readonly out: string
  readonly code: number
  readonly ms: number
}

function installed(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

function compileMusl(test: Test, directory: string): void {
  const done = spawnSync('musl-gcc', ['-static', '-O1', '-x', 'c', '-', '-o', join(directory, 'musl')], {
    input: MUSL,
  })
  if (done.status !== 0) test.fail(String(done.stderr))
}

/** A listed name, one that is not, one under a wildcard: each client has its own, so that it is known whose a query was. */
const namesOf = (index: number) => [
  `api-${String(index)}.example.com`,
  `pastebin-${String(index)}.example.org`,
  `a${String(index)}.wild.example.com`,
]

void t.test('every resolver that programs have, in one sandbox', async (t) => {
  const there = CLIENTS.filter(({ needs }) => installed(needs))
  for (const { name, needs } of CLIENTS)
    if (!installed(needs)) t.pass(name, { skip: `${needs} is not installed` })
  const commands = there.map(({ command }, index) => namesOf(index).map(command))
  const space = makeWorkspace(
    policyFor(there.length),
    {},
    { 'commands.json': JSON.stringify(commands), 'script.py': SCRIPT },
  )
  t.teardown(() => space.remove())
  if (installed('musl-gcc')) compileMusl(t, space.directory)
  const { stdout, stderr, code } = await space.run(['run', '--', 'python3', 'script.py'])
  t.equal(code, 0, stderr)
  const said = JSON.parse(stdout) as [listed: Ended, unlisted: Ended, wild: Ended][]
  const records = readFileSync(dnsLog(space.auditDir), 'utf8').trim().split('\n')
  const asked = records
    .filter((line) => line.includes('"dns-query"'))
    .map((line) => (JSON.parse(line) as Record<'dns', Asked>).dns.question.name)
  for (const [index, client] of there.entries()) {
    const [listed, unlisted, wild] = said[index] ?? []
    t.match(listed?.out, /127\.0\.0\.1/, client.name)
    t.match(unlisted?.out, client.missing, client.name)
    t.match(wild?.out, /127\.0\.0\.1/, client.name)
    t.comment(`${client.name}: an unlisted name fails in ${String(unlisted?.ms)} ms, its start included`)
    const missing = namesOf(index)[1]
    const times = asked.filter((name) => name === missing).length
    t.equal(times, client.queries, `${client.name}: nobody asked twice`)
  }
  t.strictSame(
    [...new Set(asked)],
    there.flatMap((_, index) => namesOf(index)),
    'and nobody tried other names',
  )
})

interface Asked {
  readonly question: { readonly name: string }
}

function dnsLog(auditDir: string): string {
  return spawnSync('find', [auditDir, '-name', 'dns.ndjson'], { encoding: 'utf8' }).stdout.trim()
}
