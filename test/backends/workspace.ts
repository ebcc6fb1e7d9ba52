import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { SandboxBackend } from '#src/sandbox/backend.js'
import { MASKED_NAMES } from '#src/sandbox/masked-names.js'
import { GIT_CONFIG, HARD_NAMES, OF_GIT, SECRET } from './probes.js'

/** What files hold that appear during a run. */
export const LATE_SECRET = 'LATE-SECRET-0123456789'

/** The user that owns the trees where root runs the tests: as a sandbox on Docker has it for root. */
const OWNER = 1000

/** Files for probes to look at, as an ordinary user's project would have them. */
export class Workspace {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'egress-backends-')))
  readonly work = join(this.root, 'work')
  /** Where most of it is: a work directory with so many credentials would be taken for a home directory. */
  readonly project = join(this.work, 'project')
  readonly beside = join(this.root, 'beside')
  readonly #socket: Server
  #count = 0

  constructor() {
    for (const { kind, examples } of MASKED_NAMES)
      for (const path of examples)
        this.#write(kind === 'directory' ? `${path}/secret` : path, contentOf(path))
    this.#write(`odd, "dir'/.env`, SECRET)
    this.#write('config/inner/.env', SECRET)
    this.#write('../egress.yaml', `# ${SECRET}\n`)
    this.#write('settings', SECRET)
    symlinkSync('settings', join(this.project, '.env.link'))
    linkSync(join(this.project, '.env'), join(this.project, 'second-name'))
    this.#write('third/unrelated', 'shown')
    linkSync(join(this.project, '.aws/secret'), join(this.project, 'third/name'))
    this.#write('shown-file', 'shown')
    linkSync(join(this.project, 'shown-file'), join(this.project, 'twin'))
    this.#write(
      'npm/.npmrc',
      `registry=https://npm.example/\n//npm.example/:_authToken=${SECRET}\nsave-exact=true\n`,
    )
    this.#write('node_modules/.env', SECRET)
    this.#write('node_modules/app/.env', SECRET)
    this.#write('node_modules/package/package.json', '{}')
    this.#write('node_modules/package/.env', 'shown')
    for (const path of ['.env.example', 'id_rsa.pub', 'clean/.git/config']) this.#write(path, 'shown\n')
    this.#write('public.pem', '-----BEGIN CERTIFICATE-----\nshown\n')
    for (const name of HARD_NAMES) this.#write(name, 'shown')
    this.#write('../../beside/file', 'shown')
    this.#write('../../beside/.envrc', SECRET)
    spawnSync('git', ['init', '-q', join(this.project, 'repo')])
    mkdirSync(join(this.project, 'repo/.git/hooks'), { recursive: true })
    spawnSync(
      'git',
      ['-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '--allow-empty', '-m', 'first'],
      {
        cwd: join(this.project, 'repo'),
      },
    )
    this.#socket = createServer().listen(join(this.project, 'socket'))
    spawnSync('mkfifo', [join(this.project, 'pipe')])
    chmodSync(this.root, 0o755)
    if (process.getuid?.() === 0)
      for (const name of ['', ...readdirSync(this.root, { recursive: true, encoding: 'utf8' })])
        if (!name.endsWith('.env.link')) chownSync(join(this.root, name), OWNER, OWNER)
  }

  /** Adds names that are not UTF-8, which not every backend can hide. */
  addRawNames(): void {
    const latin1 = (name: string) =>
      Buffer.concat([Buffer.from(`${this.project}/`), Buffer.from(name, 'latin1')])
    writeFileSync(latin1('.env.\xe4'), SECRET)
    mkdirSync(latin1('Pr\xe4s'))
    writeFileSync(latin1('Pr\xe4s/.env'), SECRET)
  }

  /** Runs what has been prepared, with files as its streams; its code and what it printed. */
  async run(
    backend: SandboxBackend,
    prepare: () => Promise<void>,
    {
      input = '',
      signal,
      during,
    }: {
      readonly input?: string
      readonly signal?: NodeJS.Signals | undefined
      /** called once the command has printed something */
      readonly during?: () => Promise<void>
    } = {},
  ): Promise<{ code: number; output: string }> {
    this.#count += 1
    const place = join(this.root, `run-${String(this.#count)}`)
    writeFileSync(`${place}.in`, input)
    const descriptors = [
      openSync(`${place}.in`, 'r'),
      openSync(`${place}.out`, 'a'),
      openSync(`${place}.err`, 'a'),
    ]
    const [stdin = 0, stdout = 1, stderr = 2] = descriptors
    let code: number | null = null
    try {
      backend.attach([stdin, stdout, stderr])
      await prepare()
      backend.start()
      if (during !== undefined) {
        await untilPrinted(`${place}.out`)
        await during()
      }
      if (signal !== undefined) {
        await untilPrinted(`${place}.out`)
        backend.signal(signal)
      }
      code = await backend.wait()
      return { code, output: readFileSync(`${place}.out`, 'utf8') }
    } finally {
      await backend.end(code)
      for (const descriptor of descriptors) closeSync(descriptor)
    }
  }

  /** What a user and the user's programs do while a sandbox runs; ends when a backend has had time to react. */
  async change(): Promise<void> {
    const write = (path: string) => {
      mkdirSync(dirname(join(this.project, path)), { recursive: true })
      writeFileSync(join(this.project, path), LATE_SECRET)
    }
    for (const name of ['.env.later', 'sub.env', 'new/dir/id_rsa', '.env.new']) write(name)
    renameSync(join(this.project, '.env.new'), join(this.project, '.env'))
    write('../egress.yaml.new')
    renameSync(join(this.work, 'egress.yaml.new'), join(this.work, 'egress.yaml'))
    linkSync(join(this.project, '.env.later'), join(this.project, 'harmless-name'))
    write('elsewhere/tmp')
    renameSync(join(this.project, 'elsewhere/tmp'), join(this.project, 'elsewhere/.pgpass'))
    rmSync(join(this.project, '.aws'), { recursive: true })
    write('.aws/credentials')
    const socket = createServer((client) => client.end(LATE_SECRET)).listen(join(this.project, 'late.sock'))
    await once(socket, 'listening')
    chmodSync(join(this.project, 'late.sock'), 0o777)
    writeFileSync(join(this.project, 'ordinary'), 'new')
    await sleep(4000)
    writeFileSync(join(this.project, 'changed'), '')
    await sleep(1000)
    socket.close()
  }

  close(): void {
    this.#socket.close()
    rmSync(this.root, { recursive: true, force: true })
  }

  #write(path: string, content: string): void {
    const file = join(this.project, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
}

function contentOf(path: string): string {
  if (path.endsWith('_rsa')) return `-----BEGIN OPENSSH PRIVATE KEY-----\n${SECRET}\n`
  return OF_GIT.test(path) ? `${GIT_CONFIG}\n` : SECRET
}

async function untilPrinted(file: string): Promise<void> {
  for (let tries = 0; tries < 300 && readFileSync(file, 'utf8') === ''; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
}
