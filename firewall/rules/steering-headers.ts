/**
 * Headers by which a client tells a server, or a proxy in front of it, that the request is for another path, host or scheme,
 * comes from another client, or has passed a check already (CVE-2018-14773, CVE-2025-29927 and their kin), or that give other
 * people access to what the request writes. Only the request line and Host are checked, so these do not travel on unless the
 * policy names them.
 */
const STEERING: ReadonlySet<string> = new Set([
  'base-url',
  'cf-connecting-ip',
  'client-ip',
  'fastly-client-ip',
  'forwarded',
  'front-end-https',
  'http-url',
  'proxy-host',
  'proxy-url',
  'redirect',
  'request-uri',
  'true-client-ip',
  'uri',
  'url',
  // Not steering, but an identity that links requests of one agent across services, and room for data of its choice.
  'traceparent',
  'tracestate',
  'x-amz-acl',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-custom-ip-authorization',
  'x-forward-for',
  'x-forwarder-for',
  'x-goog-acl',
  'x-host',
  'x-http-destinationurl',
  'x-http-host-override',
  'x-http-path-override',
  'x-http-url-override',
  'x-matched-path',
  'x-now-route-matches',
  'x-original-host',
  'x-originating-ip',
  'x-proxy-url',
  'x-proxyuser-ip',
  'x-real-ip',
  'x-real-url',
  'x-remote-addr',
  'x-remote-ip',
  'x-request-uri',
  'x-scheme',
  'x-server-name',
  'x-url',
  'x-url-scheme',
  'x-wap-profile',
])

const STEERING_PREFIXES = [
  'forwarded-',
  'x-amz-grant-',
  'x-envoy-',
  'x-forwarded',
  'x-invoke-',
  'x-middleware-',
  'x-original-',
  'x-rewrite-',
] as const

/** @param name in lower case */
export function isSteeringHeader(name: string): boolean {
  return STEERING.has(name) || STEERING_PREFIXES.some((prefix) => name.startsWith(prefix))
}
