import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendJson } from '../../servers/tls-server.js'

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'left', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { containers: [{ name: 'left', image: 'left' }] },
  status: { phase: 'Running' },
}

const RESOURCES = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: 'v1',
  resources: [
    {
      name: 'pods',
      singularName: 'pod',
      namespaced: true,
      kind: 'Pod',
      shortNames: ['po'],
      verbs: ['get', 'list', 'delete'],
    },
  ],
}

const ANSWERS: Readonly<Record<string, unknown>> = {
  '/version': { major: '1', minor: '30', gitVersion: 'v1.30.0' },
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/api/v1': RESOURCES,
  '/api/v1/namespaces/default/pods': { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: [POD] },
  '/api/v1/namespaces/default/pods/left': POD,
}

/** As much of the API of Kubernetes as kubectl asks for to list pods. */
export function kubernetes({ method }: IncomingMessage, response: ServerResponse, path: string): void {
  const answer = method === 'GET' ? ANSWERS[path] : undefined
  sendJson(
    response,
    answer === undefined ? 404 : 200,
    answer ?? { kind: 'Status', status: 'Failure', code: 404 },
  )
}
