import type { CredentialKind } from '#firewall/contracts/credential.js'
import { basic } from './basic.js'
import { bearer } from './bearer.js'
import { body } from './body.js'
import { cookie } from './cookie.js'
import { githubApp } from './github-app.js'
import { google } from './google.js'
import { header } from './header.js'
import { hmac } from './hmac.js'
import { mtls } from './mtls.js'
import { oauth2 } from './oauth2.js'
import { path } from './path.js'
import { query } from './query.js'
import { sigv4 } from './sigv4.js'

/** Every credential kind that a policy can use. */
export const CREDENTIAL_KINDS: readonly CredentialKind[] = [
  bearer,
  basic,
  header,
  query,
  cookie,
  path,
  oauth2,
  githubApp,
  google,
  mtls,
  sigv4,
  hmac,
  body,
]
