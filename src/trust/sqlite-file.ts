/* The parts of https://sqlite.org/fileformat2.html that a small table needs: three pages, no overflow. */

const PAGE = 8192
const HEADER = 100
const TABLE_LEAF = 13
const INDEX_LEAF = 10
const LIBRARY_VERSION = 3_040_000

export type SqliteValue = number | string | Buffer | null

export interface SqliteTable {
  readonly name: string
  /** the CREATE TABLE statement; its first column is its only key */
  readonly definition: string
  /** the first column is a small positive number, in ascending order */
  readonly rows: readonly (readonly [number, ...SqliteValue[]])[]
}

/** A database of SQLite with one table. Throws a RangeError if the rows do not fit on one page. */
export function sqliteTable({ name, definition, rows }: SqliteTable): Buffer {
  const index = `sqlite_autoindex_${name}_1`
  const schema = [
    tableCell(1, ['table', name, name, 2, definition]),
    tableCell(2, ['index', index, name, 3, null]),
  ]
  const first = page(TABLE_LEAF, schema, HEADER)
  writeHeader(first)
  return Buffer.concat([
    first,
    page(
      TABLE_LEAF,
      rows.map((row, at) => tableCell(at + 1, row)),
    ),
    page(
      INDEX_LEAF,
      rows.map(([key], at) => sized(record([key, at + 1]))),
    ),
  ])
}

function writeHeader(first: Buffer): void {
  first.write('SQLite format 3\0', 0, 'latin1')
  first.writeUInt16BE(PAGE, 16)
  // Written and read without a log of what is to be written; no reserved bytes; fixed fractions of a page.
  first.set([1, 1, 0, 64, 32, 32], 18)
  const changes = 1
  first.writeUInt32BE(changes, 24)
  first.writeUInt32BE(3, 28)
  const schemaFormat = 4
  first.writeUInt32BE(1, 40)
  first.writeUInt32BE(schemaFormat, 44)
  const utf8 = 1
  first.writeUInt32BE(utf8, 56)
  first.writeUInt32BE(changes, 92)
  first.writeUInt32BE(LIBRARY_VERSION, 96)
}

/** @param offset of the page's own header */
function page(kind: number, cells: readonly Buffer[], offset = 0): Buffer {
  const bytes = Buffer.alloc(PAGE)
  let at = PAGE
  cells.forEach((cell, index) => {
    at -= cell.length
    if (at < offset + 8 + 2 * cells.length) throw new RangeError('the rows do not fit on one page')
    cell.copy(bytes, at)
    bytes.writeUInt16BE(at, offset + 8 + 2 * index)
  })
  bytes.writeUInt8(kind, offset)
  bytes.writeUInt16BE(cells.length, offset + 3)
  bytes.writeUInt16BE(at, offset + 5)
  return bytes
}

function tableCell(id: number, values: readonly SqliteValue[]): Buffer {
  const payload = record(values)
  return Buffer.concat([varint(payload.length), varint(id), payload])
}

const sized = (payload: Buffer): Buffer => Buffer.concat([varint(payload.length), payload])

function record(values: readonly SqliteValue[]): Buffer {
  const types = Buffer.concat(values.map((value) => varint(typeOf(value))))
  // The length counts itself; it has two bytes from 128 on.
  const length = types.length + (types.length + 1 < 128 ? 1 : 2)
  return Buffer.concat([varint(length), types, ...values.map(bytesOf)])
}

function typeOf(value: SqliteValue): number {
  if (value === null) return 0
  if (typeof value === 'number') return 1
  return typeof value === 'string' ? 13 + 2 * Buffer.byteLength(value) : 12 + 2 * value.length
}

function bytesOf(value: SqliteValue): Buffer {
  if (value === null) return Buffer.alloc(0)
  return typeof value === 'number' ? Buffer.from([value]) : Buffer.from(value as string)
}

function varint(value: number): Buffer {
  const groups = [value & 0x7f]
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) groups.unshift((rest & 0x7f) | 0x80)
  return Buffer.from(groups)
}
