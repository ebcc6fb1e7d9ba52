import type { Http2Session } from 'node:http2'

/** In a second. Peers that measure a connection send some. */
const MAX_CONTROL_FRAMES = 100

/** Threat: floods of PING (CVE-2019-9512) and SETTINGS (CVE-2019-9515), each of which has to be answered. */
export function limitControlFrames(session: Http2Session, onFlood: () => void): void {
  let count = 0
  const take = () => {
    if (count === 0) {
      setTimeout(() => {
        count = 0
      }, 1_000).unref()
    }
    count += 1
    if (count === MAX_CONTROL_FRAMES) onFlood()
  }
  session.on('ping', take)
  session.on('remoteSettings', take)
}
