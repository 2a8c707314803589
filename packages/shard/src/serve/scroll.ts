/** Pages by id: the segments' id orders merged. Always: a page starts at its offset's id, and its end is the next id. */
import type { PointRecord, ScrollPage, ScrollRequest } from '@quiver/model';
import { compareRows, type Bitset, type FilterNode, type SegmentReader, type Steps } from '@quiver/segment';
import { passingRows } from './passing-rows.ts';
import { recordMaker } from './records.ts';
import type { ReplicaView } from './replica-views.ts';

interface Cursor {
  readonly reader: SegmentReader;
  readonly order: Uint32Array;
  readonly passing: Bitset | null;
  at: number;
}

const rowsPerStep = 8_192;

export function* scrollById(
  view: ReplicaView,
  request: ScrollRequest,
  filter: FilterNode | null,
): Steps<ScrollPage> {
  const cursors: Cursor[] = [];
  for (const segment of view.segments) {
    const { reader } = segment;
    const passing = yield* passingRows(view, segment, filter);
    const order = reader.idOrder();
    const at = request.offset === null ? 0 : reader.lowerBound(order, request.offset);
    cursors.push({ reader, order, passing, at });
  }
  const recordOf = recordMaker(request.withPayload, request.withVector);
  const points: (PointRecord & { orderValue: null })[] = [];
  let work = 0;
  for (;;) {
    let first: Cursor | null = null;
    for (const cursor of cursors) {
      while (cursor.at < cursor.order.length && !isShown(cursor, view.group)) {
        cursor.at += 1;
        work += 1;
        if (work % rowsPerStep === 0) yield;
      }
      if (cursor.at >= cursor.order.length) continue;
      if (first === null || compare(cursor, first) < 0) first = cursor;
    }
    if (first === null) return { points, nextOffset: null };
    const row = first.order[first.at]!;
    if (points.length === request.limit) return { points, nextOffset: first.reader.id(row) };
    points.push({ ...recordOf(first.reader, row), orderValue: null });
    first.at += 1;
  }
}

function isShown({ reader, order, passing, at }: Cursor, group: number): boolean {
  const row = order[at]!;
  return passing === null ? reader.isVisible(row, group) : row < passing.size && passing.has(row);
}

function compare(a: Cursor, b: Cursor): number {
  return compareRows(a.reader.views, a.order[a.at]!, b.reader.views, b.order[b.at]!);
}
