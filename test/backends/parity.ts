import type { Test } from 'tap'
import type { SandboxBackend } from '#src/sandbox/backend.js'
import type { SandboxPlan } from '#src/sandbox/plan.js'
import { SandboxError } from '#src/sandbox/sandbox-error.js'
import { quoteWord } from '#src/sandbox/shell-quote.js'
import type { SandboxRequest } from '#src/sandbox/spec.js'
import {
  END_PROBES,
  LATE_SCRIPT,
  READ_PROBES,
  WRITE_PROBES,
  type BackendName,
  type EndProbe,
  type Probe,
} from './probes.js'
import { LATE_SECRET, Workspace } from './workspace.js'

/** A request, and variables that the sandbox gets. */
export interface ProbeRequest extends SandboxRequest {
  readonly variables: Readonly<Record<string, string>>
  /** the policy, which must not be seen */
  readonly masked: readonly string[]
}

/** One backend under test: plans a request and has a backend ready for it. */
export interface Subject {
  readonly name: BackendName
  plan(request: ProbeRequest): Promise<{ readonly plan: SandboxPlan; readonly backend: SandboxBackend }>
}

const LIMITS = {
  processes: 60,
  memoryBytes: 256 * 2 ** 20,
  tmpBytes: 32 * 2 ** 20,
  openFiles: 900,
  processors: null,
}

/** Runs the whole table on one backend. A difference that the table does not name fails. */
export async function testParity(t: Test, subject: Subject): Promise<void> {
  process.env['CALLER_SECRET'] = 'of the caller'
  for (const [title, writable, probes] of [
    ['in a work directory that is read-only', false, READ_PROBES],
    ['in a work directory that is writable', true, WRITE_PROBES],
  ] as const)
    await t.test(title, async (t) => {
      const space = new Workspace()
      t.teardown(() => space.close())
      if (subject.name === 'namespaces') space.addRawNames()
      const { plan, backend } = await subject.plan(request(space, probes.map(marked).join('\n'), writable))
      const { output } = await space.run(backend, () => backend.prepare(plan))
      const results = new Map(
        output.split('\n@@ ').map((part): [string, string] => {
          const at = part.indexOf('\n')
          return [part.slice(0, at), part.slice(at + 1).trim()]
        }),
      )
      for (const [index, probe] of probes.entries())
        evaluate(t, subject, plan, probe, results.get(String(index)))
    })
  for (const writable of [false, true])
    await t.test(`files that appear during a run, ${writable ? 'writable' : 'read-only'}`, async (t) => {
      const space = new Workspace()
      t.teardown(() => space.close())
      const { plan, backend } = await subject.plan(request(space, LATE_SCRIPT, writable))
      const { output } = await space.run(backend, () => backend.prepare(plan), {
        during: () => space.change(),
      })
      const because = subject.name === 'toy' ? 'a plain unshare watches nothing' : null
      if (because === null) t.notMatch(output, LATE_SECRET, 'no new secret is seen')
      else t.match(output, LATE_SECRET, `a new secret is seen (differs: ${because})`)
      t.match(output, /ordinary=new/, 'other new files are shown')
    })
  for (const probe of END_PROBES)
    await t.test(probe.name, async (t) => {
      const space = new Workspace()
      t.teardown(() => space.close())
      const { code, output } = await runAlone(subject, space, probe)
      t.equal(code, probe.differs?.[subject.name]?.code ?? probe.code, output)
      if (probe.output !== undefined) t.equal(output.trim(), probe.output.trim())
    })
}

function request({ work, beside }: Workspace, script: string, writable: boolean): ProbeRequest {
  return {
    command: ['sh', '-c', script],
    workdir: work,
    writable,
    mounts: [{ path: beside, writable }],
    limits: LIMITS,
    terminal: false,
    masked: [`${work}/egress.yaml`],
    variables: { PROBE: `a b'c"d$e`, PLACEHOLDER: 'worthless', BESIDE: beside },
  }
}

/** Each probe in a shell of its own, behind a line with its number. */
function marked({ script }: Probe, index: number): string {
  return `printf '\\n@@ ${String(index)}\\n'; sh -c ${quoteWord(`cd project\n${script}`)} 2>&1`
}

function evaluate(
  t: Test,
  { name }: Subject,
  plan: SandboxPlan,
  probe: Probe,
  found: string | undefined,
): void {
  const { expect, because } = probe.differs?.[name] ?? { expect: probe.expect, because: null }
  const expected = typeof expect === 'function' ? expect(plan) : expect
  const title = because === null ? probe.name : `${probe.name} (differs: ${because})`
  if (expected instanceof RegExp) t.match(found ?? 'no result', expected, title)
  else t.equal(found, expected, title)
}

/** What is found out before anything starts has the same code as what the sandbox would say. */
async function runAlone(
  subject: Subject,
  space: Workspace,
  probe: EndProbe,
): Promise<{ code: number; output: string }> {
  try {
    const { plan, backend } = await subject.plan({ ...request(space, '', false), command: probe.command })
    return await space.run(backend, () => backend.prepare(plan), probe)
  } catch (error) {
    if (error instanceof SandboxError) return { code: error.exitCode, output: error.problem }
    throw error
  }
}
