import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import Anthropic from '@anthropic-ai/sdk'
import { Octokit } from '@octokit/rest'
import OpenAI from 'openai'
import t, { type Test } from 'tap'
import { fetch as undiciFetch, ProxyAgent } from 'undici'
import { startGateway } from './fixtures/gateway.js'
import { destination, testPolicy } from './fixtures/policy.js'
import { PYTHON } from './servers/s3.js'
import { WITHOUT_BOTO3 } from './fixtures/sigv4-oracle.js'

// What real clients print of a refusal: the reason has to be there, in each one's own words.

const HOST = 'api.example'

async function setUp(t: Test) {
  const hosts = [HOST, 's3.eu-central-1.amazonaws.com']
  const gateway = await startGateway(
    testPolicy({
      destinations: hosts.map((host, index) =>
        destination(`https://${host}`, ['allow GET /ok'], { id: `allow[${String(index)}]` }),
      ),
    }),
  )
  const directory = t.testdir({})
  const bundle = `${directory}/ca.pem`
  writeFileSync(bundle, gateway.ca)
  const proxy = `http://127.0.0.1:${String(gateway.ports.forward)}`
  const run = (...command: readonly string[]) =>
    output(command, directory, {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: directory,
      https_proxy: proxy,
      HTTPS_PROXY: proxy,
      SSL_CERT_FILE: bundle,
      CURL_CA_BUNDLE: bundle,
      GIT_SSL_CAINFO: bundle,
      NODE_EXTRA_CA_CERTS: bundle,
      AWS_CA_BUNDLE: bundle,
      NPM_CONFIG_CAFILE: bundle,
      GIT_TERMINAL_PROMPT: '0',
    })
  const dispatcher = new ProxyAgent({ uri: proxy, requestTls: { ca: gateway.ca } })
  const fetch = ((url: string, init: object) =>
    undiciFetch(url, { ...init, dispatcher })) as unknown as typeof globalThis.fetch
  t.teardown(async () => {
    await dispatcher.close()
    await gateway.close()
  })
  return { gateway, run, fetch }
}

function output(command: readonly string[], cwd: string, env: Record<string, string>): Promise<string> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve(printed))
  })
}

const messageOf = (call: Promise<unknown>) =>
  call.then(
    () => 'no error',
    (error: unknown) => String(error),
  )

void t.test('programs print why a request was denied', async (t) => {
  const { run } = await setUp(t)
  const url = `https://${HOST}`
  t.match(await run('curl', '-sS', `${url}/x`), '"reason":"no-rule"')
  t.match(
    await run('git', 'ls-remote', `${url}/a/b.git`),
    'remote: egress: no-rule: No rule of this destination',
  )
  t.match(
    await run('npm', 'view', 'left-pad', `--registry=${url}/`, '--fetch-retries=0'),
    'egress: no-rule: No rule',
  )
  const python = `import urllib.request\nurllib.request.urlopen('${url}/x')`
  t.match(await run(PYTHON, '-c', python), 'HTTP Error 403: no-rule')
})

void t.test('programs print why a CONNECT was denied', async (t) => {
  const { run } = await setUp(t)
  const url = 'https://other.example/x'
  t.match(await run('curl', '-sSv', url), '< HTTP/1.1 403 host-not-listed')
  const python = `import urllib.request\nurllib.request.urlopen('${url}')`
  t.match(await run(PYTHON, '-c', python), 'Tunnel connection failed: 403 host-not-listed')
})

void t.test('boto3 prints it', { skip: WITHOUT_BOTO3 }, async (t) => {
  const { run } = await setUp(t)
  const boto3 = (service: string, call: string) =>
    run(
      PYTHON,
      '-c',
      `import boto3\nfrom botocore.config import Config
client = boto3.client('${service}', region_name='eu-central-1', aws_access_key_id='a', aws_secret_access_key='b',
  endpoint_url='https://s3.eu-central-1.amazonaws.com', config=Config(retries={'max_attempts': 0}))
client.${call}`,
    )
  const said = (operation: string, code = 'AccessDenied') =>
    `An error occurred (${code}) when calling the ${operation} operation: egress: no-rule: No rule of this destination`
  t.match(await boto3('s3', "get_object(Bucket='reports', Key='k')"), said('GetObject'))
  t.match(await boto3('sts', 'get_caller_identity()'), said('GetCallerIdentity'))
  t.match(await boto3('dynamodb', 'list_tables()'), said('ListTables', 'AccessDeniedException'))
})

void t.test('SDKs say it in their errors', async (t) => {
  const { fetch } = await setUp(t)
  const options = { apiKey: 'placeholder', baseURL: `https://${HOST}`, fetch, maxRetries: 0 }
  const said = 'egress: no-rule: No rule of this destination'
  t.match(await messageOf(new OpenAI(options).models.list()), said, 'OpenAI')
  t.match(await messageOf(new Anthropic(options).models.list()), said, 'Anthropic')
  const octokit = new Octokit({ baseUrl: `https://${HOST}`, request: { fetch } })
  t.match(await messageOf(octokit.rest.users.getAuthenticated()), said, 'Octokit')
})
