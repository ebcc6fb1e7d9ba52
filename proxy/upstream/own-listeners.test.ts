import { networkInterfaces } from 'node:os'
import t from 'tap'
import { NO_LISTENERS, OwnPorts } from './own-listeners.js'

void t.test('every address of this host, at the ports of the gateway', (t) => {
  const own = new OwnPorts()
  own.add(9900)
  const mine = Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? [])
  const here = ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '0.0.0.0', '::', ...mine]
  for (const address of here) {
    t.ok(own.has(address, 9900), address)
    t.notOk(own.has(address, 9901), `${address}, another port`)
    t.notOk(NO_LISTENERS.has(address, 9900))
  }
  for (const address of ['192.0.2.1', '2001:db8::1', '10.255.255.254'])
    t.notOk(own.has(address, 9900), address)
  t.end()
})
