import type { Holds } from '#firewall/contracts/holds.js'
import { HoldFile } from '../control/hold-file.js'
import { EgressError, EXIT } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { stateDirectory } from '../common/sandbox-writes.js'
import { runHoldsIn } from '../common/state.js'
import { findPlaces, type Place } from '../fleet/places.js'
import { askAll } from '../fleet/tell.js'

/** Keeps what is held of this user's own runs. Before the runs are asked: one that starts meanwhile reads it. */
function changeOwn(change: (holds: Holds) => Holds): Holds {
  const file = new HoldFile(runHoldsIn(stateDirectory()))
  const before = file.read()
  file.write(change(before))
  return before
}

/** `egress stop ID`: its network is cut off at once, and its processes are ended where this program can. */
export async function stopOne(id: string, io: CommandIo): Promise<number> {
  const places = await findPlaces(io)
  const question = { method: 'POST', path: `/sandboxes/${encodeURIComponent(id)}/stop` } as const
  const { told, failed } = await askAll(places, question, io)
  const [stopped] = told
  if (stopped === undefined) {
    if (failed) return EXIT.failed
    throw new EgressError({
      code: 'EGRESS_UNKNOWN_SANDBOX',
      problem: `No sandbox \`${id}\` is running`,
      fix: 'List those that are with `egress sandboxes`',
      exitCode: EXIT.failed,
    })
  }
  await killAll(stopped.place, [id], io)
  io.stdout.write(`Stopped ${id}\n`)
  return failed ? EXIT.failed : EXIT.fine
}

/** `egress stop --all`: nothing passes and nothing starts until `egress start`. */
export async function stopAll(io: CommandIo): Promise<number> {
  changeOwn((holds) => ({ ...holds, all: true }))
  const { told, failed } = await askAll(await findPlaces(io), { method: 'POST', path: '/stop' }, io)
  let count = 0
  for (const { place, list } of told) {
    const ids = list.sandboxes.filter(({ started_at }) => started_at !== null).map(({ id }) => id)
    await killAll(place, ids, io)
    count += list.sandboxes.length
  }
  io.stdout.write(
    `Stopped ${String(count)} ${count === 1 ? 'sandbox' : 'sandboxes'}. New ones are refused until \`egress start\`\n`,
  )
  return failed ? EXIT.failed : EXIT.fine
}

async function killAll(place: Place, ids: readonly string[], { stderr }: CommandIo): Promise<void> {
  const killed = await Promise.all(ids.map((id) => place.kill(id)))
  const left = ids.filter((_, index) => killed[index] !== true)
  if (left.length === 0) return
  const containers = left.map((id) => `egress-${id}`).join(' ')
  stderr.write(
    `egress: The network of ${left.join(', ')} is cut off; the processes run elsewhere\n` +
      `  End them where they were started: docker kill ${containers}\n`,
  )
}

/** `egress start`: lifts `egress stop --all`. */
export async function startAll(io: CommandIo): Promise<number> {
  const before = changeOwn((holds) => ({ ...holds, all: false }))
  const { told, failed } = await askAll(await findPlaces(io), { method: 'POST', path: '/start' }, io)
  if (failed) return EXIT.failed
  io.stdout.write(
    before.all || told.length > 0 ? 'New sandboxes are started again\n' : 'Nothing was stopped\n',
  )
  return EXIT.fine
}

/** `egress pause AGENT`: its processes go on, and nothing of them passes. */
export async function pauseAgent(agent: string, io: CommandIo): Promise<number> {
  changeOwn((holds) => ({ ...holds, agents: new Set([...holds.agents, agent]) }))
  const { told, failed } = await askAll(await findPlaces(io), agentQuestion(agent, 'pause'), io)
  if (failed) return EXIT.failed
  if (told.length === 0)
    io.stderr.write(`egress: No gateway that is running has an agent \`${agent}\`: check the name\n`)
  io.stdout.write(`Paused the network of ${agent}. Runs of it that start now have none\n`)
  return EXIT.fine
}

/** `egress resume AGENT` */
export async function resumeAgent(agent: string, io: CommandIo): Promise<number> {
  const before = changeOwn((holds) => ({
    ...holds,
    agents: new Set([...holds.agents].filter((one) => one !== agent)),
  }))
  const { told, failed } = await askAll(await findPlaces(io), agentQuestion(agent, 'resume'), io)
  if (failed) return EXIT.failed
  if (told.length === 0 && !before.agents.has(agent))
    throw new EgressError({
      code: 'EGRESS_UNKNOWN_AGENT',
      problem: `No agent \`${agent}\` is paused`,
      fix: 'List what is running with `egress sandboxes`',
      exitCode: EXIT.failed,
    })
  io.stdout.write(`Resumed the network of ${agent}\n`)
  return EXIT.fine
}

function agentQuestion(agent: string, action: 'pause' | 'resume') {
  return { method: 'POST', path: `/agents/${encodeURIComponent(agent)}/${action}` } as const
}
