import { headerText, pathOf, type Asker, type ErrorShape } from './shape.js'

/**
 * One line. Git prints it behind `remote:` if it is plain text and nothing else, and a client that accepts only text gets text.
 */
export const plainText: ErrorShape = {
  name: 'plain text',
  recognises: (asker) => isGit(asker) || acceptsOnlyText(asker),
  write: ({ status, text }) => ({
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body: `${text}\n`,
  }),
}

function isGit(asker: Asker): boolean {
  return (
    asker.headers['git-protocol'] !== undefined ||
    headerText(asker, 'user-agent').startsWith('git/') ||
    /\/(info\/refs|git-(upload|receive)-pack)$/.test(pathOf(asker))
  )
}

function acceptsOnlyText(asker: Asker): boolean {
  const types = headerText(asker, 'accept')
    .split(',')
    .map((type) => (type.split(';', 1)[0] ?? '').trim())
  return types.every((type) => type === 'text/plain')
}
