/** What figures need of a decision. */
export interface JudgedLine {
  readonly verdict: 'allow' | 'deny'
  readonly reason: string | null
  readonly rule: string | null
  readonly host: string | null
  readonly agent: string | null
  readonly suspicious: boolean
}

/** What figures need of a line. */
export type QuickLine =
  | ({ readonly kind: 'query' | 'request'; readonly time: string } & JudgedLine)
  | {
      readonly kind: 'end'
      readonly time: string
      readonly bytesUp: number
      readonly bytesDown: number
      readonly durationMs: number
      readonly redactions: number
    }

// The three records that are nearly all of a log, as `records.ts` writes them, matched whole: to parse them takes three times as
// long. A text with an escape in it does not match, and neither does any other order of fields: such lines are parsed. No text of
// a sandbox can pass for a field, since quotes inside of it are escaped.

const TEXT = '"[^"\\\\\\x00-\\x1f]*"'
const TEXT_OR_NULL = `(?:null|${TEXT})`
const WHOLE = '(?:0|[1-9]\\d*)'
const NUMBER = `-?${WHOLE}(?:\\.\\d+)?(?:e[+-]?\\d+)?`
const NUMBER_OR_NULL = `(?:null|${NUMBER})`
const TEXTS = `\\[(?:${TEXT}(?:,${TEXT})*)?\\]`

const HEAD = `^\\{"@timestamp":"([^"\\\\\\x00-\\x1f]*)","ecs":\\{"version":${TEXT}\\},"observer":\\{"name":${TEXT},"type":${TEXT}\\},"event":\\{"kind":"event","category":${TEXTS},"type":${TEXTS},`
const JUDGED = `"outcome":${TEXT},"reason":(${TEXT_OR_NULL}),"sequence":${WHOLE}\\},"rule":\\{"name":(${TEXT_OR_NULL})\\},"source":\\{"ip":${TEXT_OR_NULL},"port":${WHOLE}\\},`
const SANDBOX = `"sandbox":(?:null|\\{"id":${TEXT},"agent":(${TEXT})(?:,"labels":${TEXTS})?\\})`
const TAIL = `"previous":${TEXT_OR_NULL}\\}\\}$`

const DECISION = new RegExp(
  `${HEAD}"action":"http-(?!close")[a-z-]+",${JUDGED}"destination":\\{"ip":${TEXT_OR_NULL}\\},` +
    `"url":\\{"scheme":${TEXT_OR_NULL},"domain":(${TEXT_OR_NULL}),"port":${NUMBER_OR_NULL},"path":${TEXT_OR_NULL},"query":${TEXT_OR_NULL}\\},` +
    `"http":\\{"request":\\{"id":${TEXT_OR_NULL},"method":${TEXT_OR_NULL}\\},"response":\\{"status_code":${NUMBER_OR_NULL}\\}\\},` +
    `"egress":\\{${SANDBOX},"verdict":"([a-z]+)","listener":${TEXT},"service":${TEXT_OR_NULL},"credential":${TEXT_OR_NULL},"detail":${TEXT_OR_NULL},${TAIL}`,
)
const QUERY = new RegExp(
  `${HEAD}"action":"dns-query",${JUDGED}"network":\\{"protocol":"dns","transport":${TEXT}\\},` +
    `"dns":\\{"id":${TEXT},"type":"query","question":\\{"name":(${TEXT}),"type":${TEXT},"class":${TEXT}\\},"response_code":${TEXT_OR_NULL},"resolved_ip":${TEXTS}\\},` +
    `"egress":\\{${SANDBOX},"verdict":"([a-z]+)","wildcard":${TEXT_OR_NULL},"features":(?:null|\\{"length":${NUMBER},"entropy":${NUMBER},"signal":${TEXT_OR_NULL}\\}),` +
    `"suspicious":(true|false),"budget":null,${TAIL}`,
)
const END = new RegExp(
  `${HEAD}"action":"http-close","outcome":${TEXT},"reason":${TEXT_OR_NULL},"duration":(${NUMBER}),"sequence":${WHOLE}\\},"url":\\{"domain":${TEXT_OR_NULL}\\},` +
    `"http":\\{"request":\\{"id":${TEXT_OR_NULL},"bytes":(${NUMBER})\\},"response":\\{"status_code":${NUMBER_OR_NULL},"bytes":(${NUMBER})\\}\\},` +
    `"egress":\\{${SANDBOX.replace(`(${TEXT})`, TEXT)},"service":${TEXT_OR_NULL},"credential":${TEXT_OR_NULL},"detail":${TEXT_OR_NULL},"redactions":(${WHOLE}),"redacted":\\[\\],${TAIL}`,
)

/** Null for a line that has to be parsed. */
export function quickLine(text: string): QuickLine | null {
  // The action is near the beginning, behind a time and names of a few characters.
  const action = text.indexOf('"action":"')
  if (action < 0) return null
  if (text.startsWith('http-close', action + 10)) return readEnd(END.exec(text))
  if (text.startsWith('dns-query', action + 10)) return readJudged('query', QUERY.exec(text))
  return text.startsWith('http-', action + 10) ? readJudged('request', DECISION.exec(text)) : null
}

function readEnd(found: RegExpExecArray | null): QuickLine | null {
  if (found === null) return null
  return {
    kind: 'end',
    time: found[1] ?? '',
    durationMs: Number(found[2]) / 1e6,
    bytesUp: Number(found[3]),
    bytesDown: Number(found[4]),
    redactions: Number(found[5]),
  }
}

function readJudged(kind: 'query' | 'request', found: RegExpExecArray | null): QuickLine | null {
  if (found === null) return null
  const verdict = found[6]
  return {
    kind,
    time: found[1] ?? '',
    reason: plain(found[2]),
    rule: plain(found[3]),
    host: plain(found[4]),
    agent: plain(found[5]),
    verdict: verdict === 'allow' || verdict === 'observe' ? 'allow' : 'deny',
    suspicious: found[7] === 'true',
  }
}

/** Of a text in quotes, or null. */
function plain(json: string | undefined): string | null {
  return json === undefined || json === 'null' ? null : json.slice(1, -1)
}
