import { headerText, type Asker, type ErrorMessage, type ErrorShape } from './shape.js'

/** Error codes that AWS SDKs know, by HTTP status; retries and exceptions depend on them. */
const CODES: Readonly<Record<number, string>> = {
  400: 'InvalidRequest',
  403: 'AccessDenied',
  413: 'EntityTooLarge',
  429: 'SlowDown',
  431: 'RequestHeaderSectionTooLarge',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'RequestTimeout',
}

const codeOf = ({ status }: ErrorMessage) =>
  CODES[status] ?? (status < 500 ? 'InvalidRequest' : 'ServiceUnavailable')

/** S3's `<Error>` document: for requests signed for S3, and for others of AWS SDKs that name neither a target nor a form. */
export const s3: ErrorShape = {
  name: 'S3',
  recognises: (asker) => serviceOf(asker) === 's3',
  write: (message, asker) =>
    xml(
      message,
      `<Error><Code>${codeOf(message)}</Code><Message>${escape(message.text)}</Message>` +
        `<Resource>${escape(asker.target)}</Resource><RequestId>${escape(message.requestId)}</RequestId></Error>`,
    ),
}

/** The two other forms of AWS: JSON with `__type`, and the XML of the query protocol (IAM, STS, EC2). */
export const aws: ErrorShape = {
  name: 'AWS',
  recognises: (asker) => serviceOf(asker) !== null,
  write(message, asker) {
    const code = codeOf(message)
    if (headerText(asker, 'content-type').startsWith('application/x-www-form-urlencoded'))
      return xml(
        message,
        `<ErrorResponse><Error><Type>${message.status < 500 ? 'Sender' : 'Receiver'}</Type><Code>${code}</Code>` +
          `<Message>${escape(message.text)}</Message></Error><RequestId>${escape(message.requestId)}</RequestId></ErrorResponse>`,
      )
    return {
      status: message.status,
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amzn-errortype': `${code}Exception`,
        'x-amzn-requestid': message.requestId,
      },
      body: `${JSON.stringify({ __type: `${code}Exception`, message: message.text, reason: message.reason })}\n`,
    }
  },
}

function xml({ status, requestId }: ErrorMessage, document: string) {
  return {
    status,
    headers: { 'content-type': 'application/xml', 'x-amz-request-id': requestId },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n${document}\n`,
  }
}

/** The service that an AWS client calls: what its signature is for, else what its headers say; null for another client. */
function serviceOf(asker: Asker): string | null {
  const { headers, target } = asker
  const scope =
    /^aws4-[^ ]+ credential=[^,\s]*\/([a-z0-9-]+)\/aws4_request/.exec(headerText(asker, 'authorization')) ??
    /[?&]x-amz-credential=[^&]*(?:\/|%2f)([a-z0-9-]+)(?:\/|%2f)aws4_request/i.exec(target)
  if (scope !== null) return (scope[1] ?? '').replace(/^s3.*$/, 's3')
  const isOfSdk = headers['amz-sdk-invocation-id'] !== undefined || headers['amz-sdk-request'] !== undefined
  // Only S3 asks for the digest of a body that is not signed.
  if (headers['x-amz-content-sha256'] !== undefined) return 's3'
  if (!isOfSdk) return null
  const isOther = headers['x-amz-target'] !== undefined || headers['content-type'] !== undefined
  return isOther ? 'aws' : 's3'
}

function escape(text: string): string {
  const named: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  // XML 1.0 section 2.2 has no way to write the other control characters.
  return text.replace(/[&<>"]|[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g, (char) => named[char] ?? '?')
}
