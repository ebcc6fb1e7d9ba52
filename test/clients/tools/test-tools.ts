import t from 'tap'
import { onNamespaces } from './namespaces.js'
import { runTool } from './run-tools.js'
import { TOOLS, type Tool } from './tools.js'

/**
 * Tests the tools of one kind in sandboxes of namespaces, as they are, against registries and APIs that take the real token alone. Each
 * has the most similar action beside it, which must be refused and reach nobody.
 *
 * @param part of `parts`, since a file of tests has its time
 */
export function testTools(kind: Tool['kind'], part = 0, parts = 1): void {
  t.setTimeout(1_100_000)
  void t.test(`${kind}s in a sandbox of namespaces`, async (t) => {
    const stage = await onNamespaces()
    t.teardown(() => stage.close())
    for (const tool of TOOLS.filter((one) => one.kind === kind).filter(
      (_, index) => index % parts === part,
    )) {
      const { missing, problems } = await runTool(tool, stage)
      if (missing === null) t.strictSame(problems, [], tool.name)
      else if (tool.packaged) await t.test(tool.name, { skip: missing }, () => undefined)
      else t.comment(`${tool.name}: ${missing}, and no package has it`)
    }
  })
}
