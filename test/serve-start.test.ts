import { createServer } from 'node:net'
import t from 'tap'
import { makeWorkspace } from './fixtures/run.js'

t.setTimeout(60_000)

void t.test('a gateway whose port is taken says so and ends', async (t) => {
  const holder = createServer()
  // Whoever has the port already will do as well.
  await new Promise<void>((resolve) => holder.once('error', () => resolve()).listen(3128, '0.0.0.0', resolve))
  const workspace = makeWorkspace('allow: [{ host: api.example }]\n', {})
  t.teardown(() => {
    holder.close()
    workspace.remove()
  })
  workspace.env['EGRESS_STATE_DIR'] = workspace.directory
  const { code, stderr } = await workspace.run(['serve', 'proxy'])
  t.equal(code, 1)
  // Who may not bind port 80 is told of that instead.
  t.match(stderr, /^egress: Cannot listen on port (3128|80|443) \((EADDRINUSE|EACCES)\)\n {2}\S.*\n$/m)
})
