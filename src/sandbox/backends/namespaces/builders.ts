import { readFileSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { formatBuildScript } from './build-program.js'
import { encodeSteps, END_OF_STEPS, firstSteps, lastSteps } from './build-steps.js'
import { formatInitScript, initDescriptors } from './init-script.js'
import type { MountPlan } from './mount-plan.js'
import type { Instructions } from './process-tree.js'
import type { Staging } from './staging.js'

export interface BuilderInput {
  readonly staging: Staging
  readonly tmpBytes: number
  /** asked for when the processes have been started */
  readonly plan: () => Promise<MountPlan>
  /** path of Perl, null if there is none */
  readonly perl: string | null
}

/** The first part of the script of PID 1, and what it is told. */
export interface Builder {
  readonly init: string
  readonly instructions: Instructions
}

/** With Perl, one program builds the sandbox in a few milliseconds; without it, the tools of util-linux and a second Node do. */
export function chooseBuilder(input: BuilderInput): Builder {
  const script = input.perl === null ? null : formatBuildScript(process.arch, input.perl)
  return script === null ? withTools(input) : withPerl(script, input)
}

function withPerl(init: string, { staging, tmpBytes, plan }: BuilderInput): Builder {
  return {
    init,
    instructions: {
      piped: true,
      async send(child) {
        const pipe = (child.stdio as readonly unknown[])[initDescriptors.steps] as Writable
        // A write to a process that has ended fails; its exit is handled elsewhere.
        pipe.on('error', () => undefined)
        pipe.write(encodeSteps(firstSteps(staging.root, tmpBytes)))
        const made = await plan()
        pipe.write(encodeSteps(lastSteps(made)))
        pipe.end(END_OF_STEPS)
        return made.order.listen.length
      },
    },
  }
}

function withTools({ staging, tmpBytes, plan }: BuilderInput): Builder {
  const { root, node } = staging
  const helper = readFileSync(fileURLToPath(new URL('./socket-helper.js', import.meta.url)), 'utf8')
  return {
    init: formatInitScript({ root, node, helper, tmpBytes }),
    instructions: {
      piped: false,
      async send(child) {
        const { order } = await plan()
        // If the tree has ended, its exit is handled elsewhere.
        if (child.connected) child.send(order)
        return order.listen.length
      },
    },
  }
}
