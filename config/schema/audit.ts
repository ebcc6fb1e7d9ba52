import * as z from 'zod'
import { field, text } from './parts.js'

/** What becomes of the audit log once it is written. Values are checked by their reader, which also reads the environment. */
export const audit = z.strictObject({
  keep: field(text, 'how long closed files are kept', 'keep: 30d').optional(),
  max: field(
    text,
    'bytes of the whole log, beyond which the oldest closed files are removed',
    'max: 20GiB',
  ).optional(),
  compress: field(
    z.enum(['gzip', 'none']),
    'whether closed files are compressed',
    'compress: gzip',
  ).optional(),
  anchor: field(
    text,
    'a file elsewhere, or an https URL, that gets each checkpoint',
    'anchor: /mnt/anchor/egress.ndjson',
  ).optional(),
  min_free: field(text, 'free space below which the gateway is not healthy', 'min_free: 512MiB').optional(),
})
