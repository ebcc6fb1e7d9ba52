import { spawnSync } from 'node:child_process'
import t from 'tap'
import { makeWorkspace, upstreamCa, type Workspace } from './fixtures/run.js'
import { startUpstream, type Upstream } from './fixtures/upstream.js'

// Clients that find out in different ways whom they trust, unmodified, in a real sandbox. Each asks a host by https through the gateway.

t.setTimeout(600_000)

const TOKEN = 'ghp_R3alT0kenThatNobodyMaySee0123456789ab'

interface Client {
  readonly name: string
  /** the program that must be installed */
  readonly program: string
  readonly command: string
  readonly options?: readonly string[]
  readonly expect: RegExp
}

const JAVA = `import java.net.URI;
import java.net.http.*;
public class T { public static void main(String[] a) throws Exception {
  var uri = URI.create("https://git.example/page");
  System.out.println(HttpClient.newHttpClient().send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString()).body());
  System.out.println(new String(uri.toURL().openStream().readAllBytes())); } }
`

const PAGE = /hello of the upstream/

const CLIENTS: readonly Client[] = [
  { name: 'curl', program: 'curl', command: 'curl -sS https://git.example/page', expect: PAGE },
  {
    name: 'curl without variables',
    program: 'curl',
    command: 'env -i curl -sS https://git.example/page',
    expect: PAGE,
  },
  {
    name: 'Python without variables: OpenSSL’s directory',
    program: '/usr/bin/python3',
    command: `env -i /usr/bin/python3 -c 'import urllib.request as u; print(u.urlopen("https://git.example/page").read())'`,
    expect: PAGE,
  },
  {
    name: 'Node',
    program: 'node',
    command: `${process.execPath} -e 'fetch("https://git.example/page").then((r) => r.text()).then(console.log)'`,
    expect: PAGE,
  },
  {
    name: 'Java: HttpClient and URLConnection',
    program: 'java',
    command: 'java -Xshare:auto T.java',
    expect: /hello of the upstream[^]*hello of the upstream/,
  },
  {
    name: 'keytool lists the store without a password',
    program: 'keytool',
    command: 'keytool -list -cacerts -storepass "" </dev/null; keytool -list -cacerts -storepass changeit',
    expect: /Your keystore contains \d{2,3} entries/,
  },
  {
    name: 'rclone: version 1 of the AWS SDK for Go',
    program: 'rclone',
    command:
      'rclone --config /dev/null --retries 1 lsf ":s3,provider=Other,access_key_id=AKIAIOSFODNN7EXAMPLE,secret_access_key=x,endpoint=\'https://git.example\':bucket"',
    expect: /^file\.txt$/m,
  },
  {
    name: 'boto3 where an empty value would switch verification off',
    program: '/usr/bin/python3',
    command: `/usr/bin/python3 -c 'import os; print([n for n in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE") if n in os.environ])'`,
    options: ['--env', 'AWS_CA_BUNDLE=', '--env', 'REQUESTS_CA_BUNDLE='],
    expect: /^\[\]$/m,
  },
  {
    name: 'a variable that is removed',
    program: 'env',
    command: 'env',
    options: ['--env', '-SSL_CERT_FILE', '--env', '-HTTP_PROXY', '--env', 'KEPT=1'],
    expect: /^(?![^]*^(SSL_CERT_FILE|HTTP_PROXY)=)[^]*^KEPT=1$/m,
  },
  {
    name: 'Maven, whose settings are links into /etc',
    program: 'mvn',
    command: 'mvn --version',
    expect: /Apache Maven 3/,
  },
  {
    name: 'git by the remote of ssh',
    program: 'git',
    command: 'git ls-remote git@git.example:acme/app.git; git ls-remote ssh://git@git.example/acme/app.git',
    expect: /0{39}1\s+refs\/heads\/main[^]*0{39}1\s+refs\/heads\/main/,
  },
  {
    name: 'npm',
    program: 'npm',
    command: 'npm view --registry https://git.example/npm/ left version',
    expect: /^1\.2\.3$/m,
  },
  {
    name: 'pip',
    program: '/usr/bin/python3',
    command:
      '/usr/bin/python3 -m pip --version >/dev/null 2>&1 || { echo no pip; exit; }; /usr/bin/python3 -m pip index --disable-pip-version-check versions --index-url https://git.example/simple left',
    expect: /left \(1\.2\.3\)|no pip/,
  },
  ...['--headless', '--headless --user-data-dir=/tmp/other'].map((options) => ({
    name: `Chromium ${options}`,
    program: 'chromium',
    command: `chromium ${options} --no-sandbox --disable-gpu --dump-dom https://git.example/page 2>&1`,
    expect: PAGE,
  })),
]

const LISTING =
  '<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>file.txt</Key><Size>1</Size><LastModified>2020-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>'

/** The references of a repository, as a server of the first protocol sends them. */
function references(): string {
  const line = (text: string) => (text.length + 4).toString(16).padStart(4, '0') + text
  const first = `${'1'.padStart(40, '0')} refs/heads/main\0side-band-64k\n`
  return `${line('# service=git-upload-pack\n')}0000${line(first)}0000`
}

async function setUp(): Promise<{ space: Workspace; upstream: Upstream }> {
  const authority = await upstreamCa()
  const upstream = await startUpstream(authority, (request, response) => {
    const path = request.url ?? ''
    const [type, body] = path.includes('info/refs')
      ? ['application/x-git-upload-pack-advertisement', references()]
      : path.startsWith('/npm/')
        ? [
            'application/json',
            '{"name":"left","dist-tags":{"latest":"1.2.3"},"versions":{"1.2.3":{"name":"left","version":"1.2.3"}}}',
          ]
        : path.startsWith('/simple/')
          ? ['text/html', '<a href="https://git.example/left-1.2.3.tar.gz">left-1.2.3.tar.gz</a>']
          : path.startsWith('/bucket')
            ? ['application/xml', LISTING]
            : ['text/html', '<p>hello of the upstream</p>']
    response.setHeader('content-type', type)
    response.end(body)
  })
  const space = makeWorkspace(
    `services:
  git:
    url: https://git.example
    credential: { bearer: "\${API_TOKEN}" }
    rules: [{ allow: "* /**" }]
    allow_private_addresses: true
    ca: ./upstream-ca.pem
upstream: { hosts: { git.example: "127.0.0.1:${String(upstream.port)}" } }
`,
    { API_TOKEN: TOKEN },
    { 'upstream-ca.pem': authority.pem, 'T.java': JAVA },
  )
  return { space, upstream }
}

const isInstalled = (program: string): boolean =>
  spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0

void t.test('clients trust the gateway', async (t) => {
  const { space, upstream } = await setUp()
  t.teardown(async () => {
    space.remove()
    await upstream.close()
  })
  for (const { name, program, command, options = [], expect } of CLIENTS)
    await t.test(name, isInstalled(program) ? {} : { skip: `${program} is not installed` }, async (t) => {
      const { stdout, stderr } = await space.run(['run', ...options, '--', 'sh', '-c', command])
      t.match(stdout, expect, stderr.slice(-2000))
      t.notMatch(stdout + stderr, TOKEN)
    })
})
