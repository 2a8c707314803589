/**
 * Copies points from the shards of one key to those of another, as for a tenant that outgrew the shared shards.
 * Always: a point takes the place of one that the target has, as in Qdrant; a copy that was cut short is simply run again.
 */
import { ClusterError, type CollectionRecord, type PointBatch, type ScrollPage } from '@quiver/model';
import type { UseCaseOptions } from '../create-api.ts';
import { addRow, columnsOf, payloadColumn, type Rows } from '../point-columns.ts';
import type { RequestContext } from '../api.ts';
import { readOptions } from '../read-options.ts';
import { readScope, writeGroups } from '../shard-keys.ts';
import type { ClusterOperation } from './cluster-api.ts';

const pageCount = 256;
const all = { kind: 'all' } as const;

/** @throws ClusterError deadline_exceeded, with how many were copied */
export async function replicatePoints(
  { reads, writes, meta, env }: UseCaseOptions,
  collection: CollectionRecord,
  { from, to, filter }: Extract<ClusterOperation, { kind: 'replicate_points' }>,
  context: RequestContext,
): Promise<void> {
  const scope = readScope(collection, { kind: 'keys', keys: [from] });
  const groups = writeGroups(collection, { kind: 'keys', keys: [to] });
  const linearizable = { ...context, consistency: 'majority' } as const;
  let copied = 0;
  let offset: ScrollPage['nextOffset'] = null;
  do {
    if (env.now() >= context.deadlineMs)
      throw new ClusterError(
        'deadline_exceeded',
        `${copied} points were copied; the same request goes on with the others`,
      );
    const request = { filter, limit: pageCount, offset, orderBy: null, withPayload: all, withVector: all };
    const page = await reads.scroll(scope, request, readOptions(linearizable, collection, meta.catalogue()));
    if (page.points.length > 0)
      await writes.write(
        collection,
        groups,
        { kind: 'upsert', points: batchOf(page.points), mode: 'upsert', updateFilter: null },
        { deadlineMs: context.deadlineMs },
      );
    copied += page.points.length;
    offset = page.nextOffset;
  } while (offset !== null);
}

function batchOf(points: ScrollPage['points']): PointBatch {
  const rows: Rows = new Map();
  const payloads: Uint8Array[] = [];
  for (const [i, point] of points.entries()) {
    for (const [name, vector] of point.vectors ?? []) addRow(rows, name, i, vector);
    // May be a view of shared memory.
    payloads.push(point.payload?.slice() ?? new Uint8Array(0));
  }
  const ids = points.map(({ id }) => id);
  return { ids, vectors: columnsOf(rows, ids.length), payloads: payloadColumn(payloads, ids.length) };
}
