import t from 'tap'
import { filterContent } from './filter-content.js'
import { hasToken } from './secret-text.js'

const SECRET = 'Zx9Kq2Lm4Np6Rs8Tv0Wy1Ab3'

/** What is shown: the lines of `text` that do not end with `  -`; a line after `  =>` replaces the one before. */
function expected(text: string): string {
  return text
    .split('\n')
    .flatMap((line) =>
      line.endsWith('  -') ? [] : [line.includes('  => ') ? line.replace(/^.*  => /, '') : line],
    )
    .join('\n')
}

const given = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replace(/  (-|=> .*)$/, ''))
    .join('\n')

const FILES = {
  'ini-settings': {
    '.npmrc': `registry=https://npm.example/
//npm.example/:_authToken=${SECRET}  -
//npm.example/:_authToken=\${NPM_TOKEN}
@acme:registry=https://user:pass@npm.example/  => @acme:registry=https://npm.example/
; a comment
# old: ${SECRET}  -
ca[]="-----BEGIN CERTIFICATE-----"
save-exact=true
${SECRET}  -
`,
    'pip.conf': `[global]
index-url = https://__token__:${SECRET}@pypi.example/simple  => index-url = https://pypi.example/simple
extra-index-url =
    https://u:short@one.example/simple  =>     https://one.example/simple
    https://\${USER}:\${PASS}@two.example/simple
timeout = 60
trusted-host = pypi.example
[freeze]
password = a  -
    b  -
timeout = 10
`,
    'gradle.properties': `org.gradle.jvmargs=-Xmx2048m -Dfile.encoding=UTF-8
org.gradle.caching=true
nexusPassword=hunter2  -
signing.password=x  -
mainClass=com.example.application.MainClass2
`,
    '.cargo/config.toml': `[registries.acme]
index = "sparse+https://crates.example/index/"
token = "Bearer x"  -
[build]
rustflags = [
    "-C",
    "link-arg=-fuse-ld=lld",
]
`,
    '.curlrc': `user = "me:hunter2"  -
proxy-user = "me:hunter2"  -
silent
`.replace('silent\n', ''),
  },
  'yaml-settings': {
    '.yarnrc.yml': `nodeLinker: node-modules
npmScopes:
  acme:
    npmAuthToken: "${SECRET}"  =>     npmAuthToken: ""
    npmRegistryServer: "https://npm.example"
npmAuthToken: "\${NPM_TOKEN}"
npmAuthIdent: me:hunter2  => npmAuthIdent: ""
`,
    '.condarc': `channels:
  - https://conda.example/t/tk-${SECRET}/main  -
  - https://u:p@conda.example/main  =>   - https://conda.example/main
  - defaults
`,
  },
  'xml-settings': {
    'settings.xml': `<?xml version="1.0"?>
<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0">
  <mirrors><mirror><id>m</id><url>https://u:hunter2@maven.example/</url></mirror></mirrors>  =>   <mirrors><mirror><id>m</id><url>https://maven.example/</url></mirror></mirrors>
  <servers><server><id>m</id><username>me</username><password>hunter2</password><configuration><httpHeaders><property><value>x</value></property></httpHeaders></configuration></server></servers>  =>   <servers><server><id>m</id></server></servers>
  <proxies><proxy><host>p.example</host><password><![CDATA[hunter2]]></password></proxy></proxies>  =>   <proxies><proxy><host>p.example</host><password></password></proxy></proxies>
  <profiles><profile><properties><deploy.token>\${env.TOKEN}</deploy.token><api-key>hunter2</api-key></properties></profile></profiles>  =>   <profiles><profile><properties><deploy.token>\${env.TOKEN}</deploy.token><api-key></api-key></properties></profile></profiles>
</settings>
`,
    'NuGet.config': `<configuration>
  <packageSources><add key="acme" value="https://nuget.example/v3/index.json" /></packageSources>
  <packageSourceCredentials><acme><add key="ClearTextPassword" value="hunter2" /></acme></packageSourceCredentials>  =>   <packageSourceCredentials></packageSourceCredentials>
  <apikeys><add key="https://nuget.example" value="hunter2" /></apikeys>  =>   <apikeys></apikeys>
  <config><add key="http_proxy.password" value="hunter2" /></config>  =>   <config><add key="http_proxy.password" value="" /></config>
</configuration>
`,
  },
} as const

void t.test('settings lose their secrets, and keep the rest', (t) => {
  for (const [check, files] of Object.entries(FILES))
    for (const [name, text] of Object.entries(files))
      t.equal(filterContent(check as keyof typeof FILES, given(text)), expected(text), name)
  t.end()
})

void t.test('settings without a secret are shown as they are', (t) => {
  for (const [check, text] of [
    ['ini-settings', '# a comment\nregistry=https://npm.example/\n\nfund=false\n'],
    ['yaml-settings', 'nodeLinker: pnp\nplugins:\n  - path: .yarn/plugins/x.cjs\n'],
    [
      'xml-settings',
      '<settings>\n  <!-- <offline>true</offline> -->\n  <offline>false</offline>\n</settings>\n',
    ],
    ['json-settings', '{"mcpServers":{"a":{"command":"npx","args":["-y","@acme/mcp"]}}}'],
  ] as const)
    t.equal(filterContent(check, text), null, check)
  t.end()
})

void t.test('what cannot be read is hidden', (t) => {
  for (const [check, text] of [
    ['xml-settings', `<settings><password>hunter2</settings>`],
    ['xml-settings', `<!DOCTYPE s [<!ENTITY p "hunter2">]><s>&p;</s>`],
    ['xml-settings', `<settings><!-- hunter2`],
    ['json-settings', `{"token": "hunter2"`],
    ['json-credential', ''],
    ['json-credential', '["hunter2"]'],
  ] as const)
    t.equal(filterContent(check, text), '', text)
  t.end()
})

void t.test('a login of an agent becomes one that its client takes', (t) => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const jwt = `${part({ alg: 'RS256' })}.${part({ email: 'jane@corp.example', exp: 1 })}.c2lnbmF0dXJl`
  const shown = (login: object) => {
    const text = filterContent('json-credential', JSON.stringify(login)) ?? ''
    t.notMatch(text, new RegExp(`${SECRET}|c2lnbmF0dXJl|jane|hunter2`))
    return JSON.parse(text) as Record<string, never>
  }
  const far = 4_102_444_800_000
  t.match(
    shown({
      claudeAiOauth: {
        accessToken: `sk-ant-oat01-${SECRET}`,
        refreshToken: `sk-ant-ort01-${SECRET}`,
        expiresAt: 1_700_000_000_000,
        scopes: ['user:inference'],
        subscriptionType: 'max',
      },
    }),
    {
      claudeAiOauth: {
        accessToken: /^sk-ant-oat01-[A-Za-z0-9]{20,}$/,
        refreshToken: /^sk-ant-/,
        expiresAt: far,
        scopes: ['user:inference'],
        subscriptionType: 'max',
      },
    },
  )
  t.match(
    shown({
      OPENAI_API_KEY: null,
      tokens: { id_token: jwt, access_token: jwt, refresh_token: `rt_${SECRET}`, account_id: 'a-1' },
      last_refresh: '2020-01-01T00:00:00Z',
    }),
    {
      OPENAI_API_KEY: null,
      tokens: {
        id_token: /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$/,
        refresh_token: /^rt_[A-Za-z0-9]+$/,
        account_id: 'a-1',
      },
      last_refresh: new RegExp(`^${String(new Date().getUTCFullYear())}`),
    },
  )
  t.match(
    shown({
      access_token: `ya29.${SECRET}`,
      token_type: 'Bearer',
      scope: 'a b',
      expiry_date: 1_700_000_000_000,
    }),
    { access_token: /^ya29\./, token_type: 'Bearer', scope: 'a b', expiry_date: far },
  )
  t.match(shown({ anthropic: { type: 'oauth', access: SECRET, expires: 1_700_000_000 } }), {
    anthropic: { type: 'oauth', expires: far / 1000 },
  })
  t.match(
    shown({
      hasCompletedOnboarding: true,
      customApiKeyResponses: { approved: [SECRET.slice(-20)] },
      primaryApiKey: 'hunter2',
      mcpServers: { a: { env: { API_TOKEN: 'hunter2', MODE: 'fast', URL: 'https://u:hunter2@a.example' } } },
    }),
    {
      hasCompletedOnboarding: true,
      customApiKeyResponses: {},
      mcpServers: { a: { env: { MODE: 'fast', URL: 'https://a.example' } } },
    },
  )
  t.end()
})

void t.test('words, paths and hashes of none are told from tokens', (t) => {
  for (const text of [
    '/usr/lib/jvm/java-17-openjdk-amd64/lib',
    '6ba7b810-9dad-41d1-80b4-00c04fd430c8',
    'a sentence of many words',
    '-Dorg.gradle.java.installations.paths',
  ])
    t.notOk(hasToken(text), text)
  for (const text of [SECRET, `x=${SECRET}`, 'ghp_1', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCY1X2M3'])
    t.ok(hasToken(text), text)
  t.end()
})

void t.test('hostile files cost what they weigh', (t) => {
  const many = (text: string) => text.repeat(Math.floor((256 * 1024) / text.length))
  for (const text of [
    '<servers>',
    '<!--',
    '<a b="',
    '://',
    'a: ',
    '{"a":',
    '[',
    '<![CDATA[',
    ' ',
    '$',
    '<add key="',
  ].map(many))
    for (const check of ['ini-settings', 'yaml-settings', 'xml-settings', 'json-settings'] as const)
      t.doesNotThrow(() => filterContent(check, text), `${check}: ${text.slice(0, 9)}`)
  t.end()
})
