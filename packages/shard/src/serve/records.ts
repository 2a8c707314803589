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
const blockBytes = 4_096;

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
  if (selector.kind === 'all') {
    const copyOf = createCopies();
    return (reader, row) => (reader.payloadBytes(row) === 0 ? emptyPayload : copyOf(reader.payload(row)));
  }
  const select = payloadSelection(selector);
  return (reader, row) => encoder.encode(stringifyJson(select(parsePayload(reader.payload(row)))));
}

/** Copies of bytes, some of them in one buffer: a buffer each is what costs. */
function createCopies(): (bytes: Uint8Array) => Uint8Array {
  let block = emptyPayload;
  let used = block.length;
  return (bytes) => {
    if (used + bytes.length > block.length) {
      block = new Uint8Array(Math.max(blockBytes, bytes.length));
      used = 0;
    }
    const copy = block.subarray(used, used + bytes.length);
    copy.set(bytes);
    used += bytes.length;
    return copy;
  };
}

function vectorsOf(reader: SegmentReader, row: number, selector: VectorSelector): VectorsByName | null {
  if (selector.kind === 'none') return null;
  const stored = reader.vectors(row, selector.kind === 'names' ? selector.names : null);
  return copyVectors(stored);
}
