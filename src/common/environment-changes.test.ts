import t from 'tap'
import { BUNDLE_VARIABLES } from '../trust/clients.js'
import { changeEnvironment } from './environment-changes.js'

void t.test('variables are set, replaced and removed', (t) => {
  const changed = changeEnvironment({ A: '1', B: '2', C: '3' }, { B: 'two', C: null, D: '', ABSENT: null })
  t.same(changed, { A: '1', B: 'two', D: '' })
  t.end()
})

void t.test('an empty value of a variable of trust removes it', (t) => {
  for (const name of [...BUNDLE_VARIABLES, 'NODE_EXTRA_CA_CERTS', 'AWS_CA_BUNDLE', 'GIT_SSL_NO_VERIFY']) {
    t.same(changeEnvironment({ [name]: '/etc/ca.pem' }, { [name]: '' }), {}, name)
    t.same(changeEnvironment({ [name]: '/etc/ca.pem' }, { [name]: '/own.pem' }), { [name]: '/own.pem' }, name)
  }
  t.end()
})
