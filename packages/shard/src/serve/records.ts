/**
 * Rows as records for a reply. Always: what a record holds is its own copy, so that it outlives the pin.
 */
import {
  parsePayload,
  payloadSelection,
  stringifyJson,
  type PayloadSelector,
  type PointRecord,
  type VectorSelector,
  type VectorsByName,
} from '@quiver/model';
import type { SegmentReader } from '@quiver/segment';
import { copyVectors } from '../copy-vectors.ts';

export type RecordOf = (reader: SegmentReader, row: number) => PointRecord;

const emptyPayload = new TextEncoder().encode('{}');
const encoder = new TextEncoder();

/** Makes the selectors' work once for all rows of a request. */
export function recordMaker(withPayload: PayloadSelector, withVector: VectorSelector): RecordOf {
  const payloadOf = payloadMaker(withPayload);
  return (reader, row) => ({
    id: reader.id(row),
    version: reader.version(row),
    payload: payloadOf(reader, row),
    vectors: vectorsOf(reader, row, withVector),
  });
}

function payloadMaker(selector: PayloadSelector): (reader: SegmentReader, row: number) => Uint8Array | null {
  if (selector.kind === 'none') return () => null;
  if (selector.kind === 'all')
    return (reader, row) => (reader.payloadBytes(row) === 0 ? emptyPayload : reader.payload(row).slice());
  const select = payloadSelection(selector);
  return (reader, row) => encoder.encode(stringifyJson(select(parsePayload(reader.payload(row)))));
}

function vectorsOf(reader: SegmentReader, row: number, selector: VectorSelector): VectorsByName | null {
  if (selector.kind === 'none') return null;
  const stored = reader.vectors(row, selector.kind === 'names' ? selector.names : null);
  return copyVectors(stored);
}
