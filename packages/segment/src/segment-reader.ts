/** The read contract (segment.ts) over mapped regions; the same for plain and sealed segments, in any thread. */
import type { ArenaDirectory } from '@quiver/kernel';
import type { PointId, Vector, VectorsByName } from '@quiver/model';
import { blobAlignment, readMulti, readSparse, roundUp, takenBytes } from './blob.ts';
import type { SegmentDescriptor } from './descriptor.ts';
import { createIdOrder } from './id-order.ts';
import { createIdWords, idAt, idWords } from './id-words.ts';
import { headerWords } from './layout.ts';
import { vectorSchema } from './schema.ts';
import type { SegmentReader } from './segment.ts';
import {
  denseRow,
  isPresent,
  mapSegment,
  relativeGroup,
  slotOfId,
  type SegmentViews,
  type VectorView,
} from './segment-views.ts';

/** Maps a segment into this thread. REQUIRES: the directory knows its arenas. */
export function openSegment(descriptor: SegmentDescriptor, directory: ArenaDirectory): SegmentReader {
  const views = mapSegment(descriptor, directory);
  const { baseGroup } = descriptor;
  const { header, born, death, payload, older, blob } = views;
  const key = createIdWords();
  const idOrder = createIdOrder(descriptor.kind, views);
  const viewOf = (name: string): VectorView | undefined => {
    const schema = vectorSchema(descriptor.schema, name);
    return schema === undefined ? undefined : views.vectors[descriptor.schema.vectors.indexOf(schema)];
  };
  const isVisibleAt = (row: number, relative: number): boolean => {
    if (born[row]! > relative) return false;
    const dead = death[row]!;
    return dead === 0 || dead > relative;
  };
  const newestOf = (id: PointId): number => Atomics.load(views.table, slotOfId(views, idWords(id, key)));
  const reader: SegmentReader = {
    descriptor,
    views,
    rowCount: () => Atomics.load(header, headerWords.rows),
    deadCount: () => Atomics.load(header, headerWords.dead),
    blobUsedBytes: () =>
      Atomics.load(header, headerWords.blobUsed) + Atomics.load(header, headerWords.codesUsed),
    isVisible: (row, group) => isVisibleAt(row, relativeGroup(baseGroup, group)),
    find(id, group) {
      const relative = relativeGroup(baseGroup, group);
      for (let entry = newestOf(id); entry !== 0; entry = older[entry - 1]!)
        if (isVisibleAt(entry - 1, relative)) return entry - 1;
      return -1;
    },
    findAlive(id) {
      // Rows of one id are entered oldest first, so only the newest can be alive.
      const entry = newestOf(id);
      return entry !== 0 && death[entry - 1] === 0 ? entry - 1 : -1;
    },
    id: (row) => idAt(views.idKind, views.id, row),
    version: (row) => views.version[row]!,
    bornGroup: (row) => baseGroup + born[row]!,
    payload: (row) => blob.subarray(payload[2 * row], payload[2 * row]! + payload[2 * row + 1]!),
    payloadBytes: (row) => payload[2 * row + 1]!,
    hasVector(row, name) {
      const view = viewOf(name);
      return view !== undefined && isPresent(view, row);
    },
    vector(row, name) {
      const view = viewOf(name);
      return view === undefined ? null : vectorAt(views, view, row);
    },
    vectors(row, names) {
      const found = new Map<string, Vector>();
      for (const view of views.vectors) {
        if (names !== null && !names.includes(view.schema.name)) continue;
        const vector = vectorAt(views, view, row);
        if (vector !== null) found.set(view.schema.name, vector);
      }
      return found satisfies VectorsByName;
    },
    *visibleRows(group) {
      const relative = relativeGroup(baseGroup, group);
      const count = reader.rowCount();
      for (let row = 0; row < count; row += 1) if (isVisibleAt(row, relative)) yield row;
    },
    idOrder: () => idOrder.rows(),
    lowerBound: (order, id) => idOrder.lowerBound(order, idWords(id, createIdWords())),
  };
  return reader;
}

function vectorAt(views: SegmentViews, view: VectorView, row: number): Vector | null {
  if (!isPresent(view, row)) return null;
  if (view.kind === 'dense') return { kind: 'dense', values: denseRow(views.memory, view, row) };
  const [offset, count] = [view.refs[2 * row]!, view.refs[2 * row + 1]!];
  return view.kind === 'multi'
    ? readMulti(views.blob, offset, view.schema.dim, count)
    : readSparse(views.blob, offset, count);
}

/** Bytes of the blob that belong to a row, rounding included. */
export function blobBytesOfRow(segment: SegmentDescriptor, views: SegmentViews, row: number): number {
  const align = blobAlignment(segment.schema);
  let bytes = roundUp(views.payload[2 * row + 1]!, align);
  for (const view of views.vectors) {
    if (view.kind === 'dense' || !isPresent(view, row)) continue;
    bytes += takenBytes(view.schema, align, view.refs[2 * row + 1]!);
  }
  return bytes;
}
