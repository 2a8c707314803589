/**
 * Which rows of a segment get links of their own within a payload field: those with one value of it that enough rows have, or for
 * numbers those with values of one stretch. Always: a field where a row has more than one value gets none; blocks are
 * disjoint and have rows with the vector only, so a filter that requires a block's value passes no other rows.
 */
import type { LinkedField, PayloadLinksShape } from '@quiver/ann';
import { assert } from '@quiver/model';
import type { GraphDescriptor, LinkedPath, PayloadLinksPlan } from './descriptor.ts';
import { openColumn } from './payload-index/build-column.ts';
import type { CountedColumn, OrderedColumn } from './payload-index/column.ts';
import { buildSegmentColumn } from './segment-columns.ts';
import type { SegmentReader } from './segment.ts';
import { isPresent, type DenseView } from './segment-views.ts';
import type { Steps } from './steps.ts';

/** A value that more of the rows have is found well by the graph's own links, unless the field is said to be walked by its values. */
const rowsShareMax = 0.5;
/** Stretches of a field of numbers, at most: of smaller ones a condition would ask for too many. */
const stretchesMax = 8;
/** UTF-16 units of a value: longer ones are no categories. */
const valueLengthMax = 128;

export function linksShapeOf(plan: PayloadLinksPlan | null): PayloadLinksShape | null {
  return plan === null ? null : { ...plan, tables: plan.fields.length };
}

/** Reads every payload once for each field. */
export function* linkableFields(
  reader: SegmentReader,
  { vector, payloadLinks }: GraphDescriptor,
): Steps<LinkedField[]> {
  if (payloadLinks === null) return [];
  const view = reader.views.vectors.find(({ schema }) => schema.name === vector);
  assert(view?.kind === 'dense', `links of vector "${vector}", which is not dense`);
  const fields: LinkedField[] = [];
  for (const path of payloadLinks.fields) {
    const { key, schema } = path;
    const column = openColumn(key, schema, yield* buildSegmentColumn(reader, key, schema, null));
    const { ordered, counted } = column;
    let blocks: LinkedField['blocks'] | null = null;
    if (ordered !== null) blocks = stretchesOf(ordered, payloadLinks, view, reader.rowCount());
    else if (counted !== null) blocks = valuesOf(counted, payloadLinks, path, view, reader.rowCount());
    if (blocks !== null && blocks.length > 0) fields.push({ key, type: schema.data_type, blocks });
    yield;
  }
  return fields;
}

function valuesOf(
  column: CountedColumn,
  { blockRowsMin }: PayloadLinksPlan,
  { schema }: LinkedPath,
  view: DenseView,
  rowCount: number,
): LinkedField['blocks'] | null {
  const rowsMax = schema.params?.is_tenant === true ? rowCount : rowsShareMax * rowCount;
  const taken = new Uint8Array(rowCount);
  const blocks: LinkedField['blocks'][number][] = [];
  for (let index = 0; index < column.length; index += 1) {
    const all = column.rowsOf(index);
    for (const row of all) {
      if (taken[row] === 1) return null;
      taken[row] = 1;
    }
    if (all.length < blockRowsMin || all.length > rowsMax) continue;
    const value = String(column.valueAt(index));
    const rows = all.filter((row) => isPresent(view, row));
    if (rows.length >= blockRowsMin && value.length <= valueLengthMax)
      blocks.push({ value, from: 0, to: 0, rows });
  }
  return blocks;
}

/** Stretches of about as many rows each. */
function stretchesOf(
  column: OrderedColumn,
  { blockRowsMin }: PayloadLinksPlan,
  view: DenseView,
  rowCount: number,
): LinkedField['blocks'] | null {
  const count = Math.min(stretchesMax, Math.floor(column.length / blockRowsMin));
  if (count < 2) return null;
  const taken = new Uint8Array(rowCount);
  const blocks: LinkedField['blocks'][number][] = [];
  for (let block = 0; block < count; block += 1) {
    const start = Math.floor((block * column.length) / count);
    const end = Math.floor(((block + 1) * column.length) / count);
    const [from, to] = [column.valueAt(start), column.valueAt(end - 1)];
    if (typeof from === 'bigint' || typeof to === 'bigint') return null;
    const rows: number[] = [];
    for (let position = start; position < end; position += 1) {
      const row = column.rowAt(position);
      if (taken[row] === 1) return null;
      taken[row] = 1;
      if (isPresent(view, row)) rows.push(row);
    }
    blocks.push({ value: null, from, to, rows: Uint32Array.from(rows) });
  }
  return blocks;
}
