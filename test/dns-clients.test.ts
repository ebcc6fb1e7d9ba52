import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeWorkspace } from './fixtures/run.js'

// The resolvers that programs are built with, in a sandbox: an allowed name has an address, another fails at once, and the
// audit log shows that nobody asked twice or tried the name below another one.

const POLICY = 'allow:\n  - host: api.example.com\n  - host: "*.wild.example.com"\n'

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

/** Sends a command's output and exit code through the sandbox as one line. */
const SCRIPT = `import json,subprocess,sys,time
for words in json.load(open('commands.json')):
    begin = time.monotonic()
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(json.dumps({'out': done.stdout, 'code': done.returncode, 'ms': (time.monotonic() - begin) * 1000}))`

function installed(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

function compileMusl(test: Test, directory: string): void {
  const done = spawnSync('musl-gcc', ['-static', '-O1', '-x', 'c', '-', '-o', join(directory, 'musl')], {
    input: MUSL,
  })
  if (done.status !== 0) test.fail(String(done.stderr))
}

for (const client of CLIENTS) {
  const skip = installed(client.needs) ? false : `${client.needs} is not installed`
  void t.test(client.name, { skip }, async (t) => {
    const commands = ['api.example.com', 'pastebin.example.org', 'a.wild.example.com'].map(client.command)
    const space = makeWorkspace(
      POLICY,
      {},
      { 'commands.json': JSON.stringify(commands), 'script.py': SCRIPT },
    )
    t.teardown(() => space.remove())
    if (client.needs === 'musl-gcc') compileMusl(t, space.directory)
    const { stdout, stderr, code } = await space.run(['run', '--', 'python3', 'script.py'])
    t.equal(code, 0, stderr)
    const [listed, unlisted, wild] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { out: string; code: number; ms: number })
    t.match(listed?.out, /127\.0\.0\.1/)
    t.match(unlisted?.out, client.missing)
    t.match(wild?.out, /127\.0\.0\.1/)
    t.comment(`an unlisted name fails in ${String(unlisted?.ms)} ms, the start of the program included`)
    const records = readFileSync(dnsLog(space.auditDir), 'utf8').trim().split('\n')
    const asked = records.map((line) => (JSON.parse(line) as Record<'dns', Asked>).dns.question.name)
    t.equal(
      asked.filter((name) => name === 'pastebin.example.org').length,
      client.queries,
      'nobody asked twice',
    )
    t.strictSame(
      [...new Set(asked)],
      ['api.example.com', 'pastebin.example.org', 'a.wild.example.com'],
      'and nobody tried other names',
    )
  })
}

interface Asked {
  readonly question: { readonly name: string }
}

function dnsLog(auditDir: string): string {
  return spawnSync('find', [auditDir, '-name', 'dns.ndjson'], { encoding: 'utf8' }).stdout.trim()
}
