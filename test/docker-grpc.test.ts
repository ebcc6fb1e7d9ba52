import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { docker, ensureImages, SANDBOX_IMAGE, skipWithoutDocker } from './fixtures/docker.js'
import { callFromSandbox } from './fixtures/grpc-in-sandbox.js'
import { WITHOUT_GRPCURL } from './fixtures/grpc-clients.js'

// As grpc-calls.test.ts, from inside a container that `sandbox-run` has started.

t.setTimeout(1_200_000)

const IMAGE = 'egress-test-grpc:local'

/** The image of sandboxes has no grpcio. */
const DOCKERFILE = `FROM ${SANDBOX_IMAGE}
USER 0
RUN apt-get update && apt-get install -y --no-install-recommends python3-grpcio && rm -rf /var/lib/apt/lists/*
USER 1000:1000
`

void t.test('gRPC from a container', { skip: skipWithoutDocker() || WITHOUT_GRPCURL }, async (t) => {
  await ensureImages()
  const context = mkdtempSync(join(tmpdir(), 'egress-grpc-'))
  t.teardown(() => rmSync(context, { recursive: true }))
  writeFileSync(join(context, 'Dockerfile'), DOCKERFILE)
  await docker('build', '-q', '-t', IMAGE, context)
  await callFromSandbox(t, 'docker', ['--image', IMAGE])
})
