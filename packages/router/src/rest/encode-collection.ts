/** What a collection is and does, in Qdrant's shapes; keys in Qdrant's order. */
import { ClusterError, type CollectionRecord } from '@quiver/model';
import type { CollectionState, OptimizationTask } from '@quiver/rpc';
import type { CollectionInfo } from '../api.ts';

export function collectionInfoJson(info: CollectionInfo): unknown {
  const { record, config, state } = info;
  return {
    status: state.status,
    optimizer_status: state.optimizerError === null ? 'ok' : { error: state.optimizerError },
    indexed_vectors_count: state.indexedVectorsCount,
    points_count: state.pointsCount,
    segments_count: state.segmentsCount,
    config,
    payload_schema: payloadSchemaJson(record, state),
    update_queue: { length: state.updateQueueLength },
    ...(state.liveRecall.length === 0 ? {} : { live_recall: state.liveRecall.map(recallJson) }),
  };
}

/** Quiver's own: see docs/recall.md. */
function recallJson({ vector, queries, found, wanted }: CollectionState['liveRecall'][number]): unknown {
  return { vector, recall: found / wanted, queries };
}

function payloadSchemaJson(record: CollectionRecord, state: CollectionState): unknown {
  return Object.fromEntries(
    Object.entries(record.payloadSchema).map(([field, schema]) => [
      field,
      {
        data_type: schema.data_type,
        ...(schema.params === null ? {} : { params: schema.params }),
        points: Object.hasOwn(state.payloadIndexPoints, field) ? state.payloadIndexPoints[field] : 0,
      },
    ]),
  );
}

const parts = ['queued', 'completed', 'idle_segments'] as const;
type Part = (typeof parts)[number];

/** The value of `?with=`. @throws ClusterError invalid_argument */
export function decodeOptimizationParts(value: string | null): ReadonlySet<Part> {
  const chosen = new Set<Part>();
  for (const name of (value ?? '').split(',').filter((word) => word !== '')) {
    const part = parts.find((known) => known === name);
    if (part === undefined)
      throw new ClusterError('invalid_argument', `Unknown field in 'with' parameter: ${name}`);
    chosen.add(part);
  }
  return chosen;
}

export function optimizationsJson(
  state: CollectionState,
  chosen: ReadonlySet<Part>,
  completedLimit: number,
): unknown {
  const queuedSegments = state.queued.flatMap((task) => task.segments);
  return {
    summary: {
      queued_optimizations: state.queued.length,
      queued_segments: queuedSegments.length,
      queued_points: queuedSegments.reduce((sum, segment) => sum + segment.points, 0),
      idle_segments: state.idleSegments.length,
    },
    running: state.running.map(taskJson),
    ...(chosen.has('queued')
      ? {
          queued: state.queued.map((task) => ({
            optimizer: task.kind,
            segments: task.segments.map(segmentJson),
          })),
        }
      : {}),
    ...(chosen.has('completed') ? { completed: state.completed.slice(0, completedLimit).map(taskJson) } : {}),
    ...(chosen.has('idle_segments') ? { idle_segments: state.idleSegments.map(idleJson) } : {}),
  };
}

function taskJson(task: OptimizationTask): unknown {
  const { startedAtMs, finishedAtMs } = task;
  return {
    uuid: task.id,
    optimizer: task.kind,
    status: task.error !== null ? { error: task.error } : finishedAtMs === null ? 'optimizing' : 'done',
    segments: task.segments.map(segmentJson),
    progress: {
      name: task.stage,
      started_at: new Date(startedAtMs).toISOString(),
      ...(finishedAtMs === null
        ? {}
        : {
            finished_at: new Date(finishedAtMs).toISOString(),
            duration_sec: (finishedAtMs - startedAtMs) / 1_000,
          }),
      done: task.done,
      total: task.total,
    },
  };
}

/** `graphs` is Quiver's own: which codes searches of the segment read, and the recall that they have by beam width. */
function idleJson(segment: CollectionState['idleSegments'][number]): unknown {
  const graphs = segment.graphs.map(({ vector, codes, bits, rowBytes, measured, curves }) => ({
    vector,
    codes,
    bits,
    bytes_per_row: rowBytes,
    ...(measured === null
      ? {}
      : {
          recall: measured.recall,
          // Absent ones do not show in JSON.
          recall_int8: measured.recallInt8,
          recall_vectors: measured.recallRows,
          explained_variance: measured.explainedVariance,
        }),
    recall_curves: curves.map(({ k, queryCount, points }) => ({ limit: k, queries: queryCount, points })),
  }));
  return { ...segmentJson(segment), ...(graphs.length === 0 ? {} : { graphs }) };
}

/** Segments have numbers here, UUIDs in the API: the number is its last twelve digits. */
function segmentJson(segment: { readonly id: number; readonly points: number }): object {
  const digits = segment.id.toString(16).padStart(12, '0');
  return { uuid: `00000000-0000-0000-0000-${digits}`, points_count: segment.points };
}
