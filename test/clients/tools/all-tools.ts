import { spawnSync } from 'node:child_process'
import { onDocker } from './docker.js'
import { onNamespaces } from './namespaces.js'
import { runTool, type ToolResult } from './run-tools.js'
import { TOOLS } from './tools.js'

/** Runs every tool on every backend that is here. */
export async function runTools(onResult: (result: ToolResult) => void): Promise<readonly ToolResult[]> {
  const results: ToolResult[] = []
  const hasEngine = spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0
  for (const [backend, open] of [
    ['namespaces', onNamespaces],
    ['docker', onDocker],
  ] as const) {
    const stage = backend === 'docker' && !hasEngine ? null : await open()
    try {
      for (const tool of TOOLS) {
        const result =
          stage === null
            ? {
                tool: tool.name,
                kind: tool.kind,
                backend,
                problems: [],
                control: false,
                missing: 'no Docker engine',
              }
            : await runTool(tool, stage)
        results.push(result)
        onResult(result)
      }
    } finally {
      await stage?.close()
    }
  }
  return results
}
