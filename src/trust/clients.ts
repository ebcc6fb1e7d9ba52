/*
 * What clients read to find out whom they trust: the one list, for every backend. To add a client, add its variable, its path or
 * its store here.
 */

/** The bundle in PEM: the public CAs, or the host's own, together with the gateway's. */
export const BUNDLE = '/etc/ssl/certs/ca-certificates.crt'

/** The gateway's certificate alone, for clients that add it to the CAs that they have. */
export const GATEWAY_CERTIFICATE = '/etc/egress/ca.pem'

/** The Java key store with the same certificates as the bundle; its password is that of every JDK, and not needed. */
export const JAVA_STORE = '/etc/ssl/certs/java/cacerts'

/** Other paths of the bundle, for clients that read no variable; the first that a host has is its own bundle. */
export const BUNDLE_PATHS = [
  BUNDLE, // Debian, Alpine, Arch
  '/etc/ssl/cert.pem', // OpenSSL's own default, Alpine, BSD
  '/etc/pki/tls/certs/ca-bundle.crt', // Fedora
  '/etc/pki/tls/cert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem', // openSUSE
  '/var/lib/ca-certificates/ca-bundle.pem',
  '/etc/ca-certificates/extracted/tls-ca-bundle.pem', // Arch
]

/** Other paths of the Java key store. The `cacerts` of a distribution's JDK is a link to one of them. */
export const JAVA_STORE_PATHS = [
  JAVA_STORE, // Debian, Alpine, Arch
  '/etc/pki/ca-trust/extracted/java/cacerts', // Fedora
  '/etc/pki/java/cacerts',
  '/var/lib/ca-certificates/java-cacerts', // openSUSE
]

/** Directories of managed policies of browsers that are built from Chromium. */
export const CHROMIUM_POLICIES = [
  '/etc/chromium/policies',
  '/etc/opt/chrome/policies',
  '/etc/opt/chrome_for_testing/policies',
  '/etc/opt/edge/policies',
  '/etc/brave/policies',
]

export const FIREFOX_POLICIES = '/etc/firefox/policies'

/** Directories of a container for which the gateway's volume of certificates stands. Those that an image lacks are created. */
export const TRUST_DIRECTORIES = [
  '/etc/egress',
  '/etc/ssl/certs',
  '/etc/pki/tls/certs',
  '/etc/pki/ca-trust/extracted',
  '/etc/pki/java',
  '/etc/ca-certificates/extracted',
  '/var/lib/ca-certificates',
  ...CHROMIUM_POLICIES,
  FIREFOX_POLICIES,
]

/** Below the home directory. For browsers without managed policies, such as the headless ones of Playwright. */
export const NSS_DATABASE = '.pki/nssdb/cert9.db'

/** The same file where every sandbox has it, to be copied into a home directory that stays. */
export const NSS_SOURCE = '/etc/egress/cert9.db'

/**
 * Variables with the path of the bundle. Not here: AWS_CA_BUNDLE, which breaks rclone and other programs with version 1 of the AWS
 * SDK for Go. Those of AWS for Python read REQUESTS_CA_BUNDLE, the others the system's.
 */
export const BUNDLE_VARIABLES = [
  'SSL_CERT_FILE', // OpenSSL, Python, Ruby, Go, uv, Codex
  'REQUESTS_CA_BUNDLE', // Python: requests, boto3, aws
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'PIP_CERT',
  'CARGO_HTTP_CAINFO',
  'DENO_CERT',
  'BUNDLE_SSL_CA_CERT',
  'CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
  'NIX_SSL_CERT_FILE',
  'HEX_CACERTS_PATH',
  'JULIA_SSL_CA_ROOTS_PATH',
  'PERL_LWP_SSL_CA_FILE',
]

/** Variables with the path of the gateway's certificate. */
export const CERTIFICATE_VARIABLES = ['NODE_EXTRA_CA_CERTS']

/**
 * Variables of others that decide whom a client trusts. Threat: to some clients, one of these with an empty value means that no
 * certificate is verified (boto3, requests before 2.28, git).
 */
const OTHER_VARIABLES = [
  'AWS_CA_BUNDLE',
  'GIT_SSL_CAPATH',
  'GIT_SSL_NO_VERIFY',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'PYTHONHTTPSVERIFY',
  'SSL_CERT_DIR',
]

/** Variables that are left out rather than empty. */
export const NEVER_EMPTY: ReadonlySet<string> = new Set([
  ...BUNDLE_VARIABLES,
  ...CERTIFICATE_VARIABLES,
  ...OTHER_VARIABLES,
])
