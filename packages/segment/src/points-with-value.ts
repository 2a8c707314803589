/**
 * How many live points of a segment have a value at a path: what collection info tells of a payload index. Rows never change, so
 * each is looked at once; deaths come later and are taken out by a pass over the rows' bits, when there are new ones.
 */
import type { ArenaDirectory } from '@quiver/kernel';
import { parseJsonPath, parsePayload, valuesAt, type PayloadFieldSchema } from '@quiver/model';
import { Bitset } from './bitset.ts';
import { fieldTest } from './field-test.ts';
import { openColumns } from './segment-columns.ts';
import type { SegmentReader } from './segment.ts';
import { runSteps } from './steps.ts';

interface Counted {
  /** Of the rows below `rows`. */
  withValue: Bitset;
  rows: number;
  /** The answer when `rows` rows were there and `dead` of them were dead. */
  count: number;
  dead: number;
}
const counted = new WeakMap<SegmentReader, Map<string, Counted>>();

export function pointsWithValue(
  reader: SegmentReader,
  directory: ArenaDirectory,
  key: string,
  schema: PayloadFieldSchema,
): number {
  let byKey = counted.get(reader);
  if (byKey === undefined) counted.set(reader, (byKey = new Map<string, Counted>()));
  let known = byKey.get(key);
  if (known === undefined) byKey.set(key, (known = { withValue: new Bitset(0), rows: 0, count: 0, dead: 0 }));
  const dead = reader.deadCount();
  const rows = reader.rowCount();
  if (known.rows === rows && known.dead === dead) return known.count;
  if (known.rows < rows) {
    const withValue = new Bitset(rows, grown(known.withValue.words, rows));
    if (known.rows > 0 || !readColumn(reader, directory, key, withValue))
      readPayloads(reader, key, schema, known.rows, withValue);
    known.withValue = withValue;
  }
  const { death } = reader.views;
  let count = 0;
  for (let row = 0; row < rows; row += 1) if (known.withValue.has(row) && death[row] === 0) count += 1;
  Object.assign(known, { rows, dead, count });
  return count;
}

/** Room is doubled: a head grows by a few rows between two looks. */
function grown(words: Uint32Array, rows: number): Uint32Array {
  const needed = Math.ceil(rows / 32);
  const whole = new Uint32Array(words.buffer);
  if (whole.length >= needed) return whole;
  const larger = new Uint32Array(2 * needed);
  larger.set(whole);
  return larger;
}

function readColumn(reader: SegmentReader, directory: ArenaDirectory, key: string, out: Bitset): boolean {
  const condition = { kind: 'is_empty', key, expected: false } as const;
  const column = openColumns(reader.descriptor, directory).find((one) => one.key === key);
  if (column?.rowCount !== out.size || !column.serves(condition)) return false;
  runSteps(column.evaluate(condition, out));
  return true;
}

function readPayloads(
  reader: SegmentReader,
  key: string,
  schema: PayloadFieldSchema,
  from: number,
  out: Bitset,
): void {
  const path = parseJsonPath(key);
  if (path === null) return;
  const { ofValues } = fieldTest({ kind: 'is_empty', key, expected: false }, schema);
  for (let row = from; row < out.size; row += 1)
    if (reader.payloadBytes(row) > 0 && ofValues(valuesAt(parsePayload(reader.payload(row)), path)))
      out.add(row);
}
