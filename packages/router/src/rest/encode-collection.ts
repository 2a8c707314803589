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
    ...codesJson(state),
  };
}

/**
 * Quiver's own: for each vector the codes that searches of its graphs read, by how many segments and points have them, with the
 * recall measured where the choice was the engine's (means over those points). `/optimizations?with=idle_segments` tells it by segment.
 */
function codesJson({ idleSegments }: CollectionState): object {
  const graphs = idleSegments.flatMap(({ points, graphs: own }) =>
    own.map((graph) => ({ ...graph, points })),
  );
  const codes = [
    ...Map.groupBy(graphs, ({ vector, codes: kind, bits }) => JSON.stringify([vector, kind, bits])),
  ];
  if (codes.length === 0) return {};
  return {
    codes: codes.map(([, same]) => {
      const { vector, codes: kind, bits } = same[0]!;
      const points = same.reduce((sum, graph) => sum + graph.points, 0);
      return { vector, codes: kind, bits, segments: same.length, points, ...meanOf(same) };
    }),
  };
}

type Measured = NonNullable<CollectionState['idleSegments'][number]['graphs'][number]['measured']>;

function meanOf(graphs: readonly { readonly points: number; readonly measured: Measured | null }[]): object {
  const known = graphs.filter(({ measured }) => measured !== null);
  const points = known.reduce((sum, graph) => sum + graph.points, 0);
  const mean = (of: (measured: Measured) => number | undefined): number | undefined => {
    const values = known.map(({ measured }) => of(measured!));
    if (points === 0 || values.includes(undefined)) return undefined;
    return known.reduce((sum, graph, i) => sum + (graph.points / points) * values[i]!, 0);
  };
  return figuresJson({
    recall: mean(({ recall }) => recall),
    recallInt8: mean(({ recallInt8 }) => recallInt8),
    recallRows: mean(({ recallRows }) => recallRows),
    explainedVariance: mean(({ explainedVariance }) => explainedVariance),
  });
}

/** Absent ones do not show in JSON. */
function figuresJson(measured: { readonly [key in keyof Measured]?: number | undefined }): object {
  return {
    recall: measured.recall,
    recall_int8: measured.recallInt8,
    recall_vectors: measured.recallRows,
    explained_variance: measured.explainedVariance,
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
      // Quiver's own.
      ...(finishedAtMs !== null || task.leftMs === null ? {} : { eta_sec: Math.ceil(task.leftMs / 1_000) }),
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
    ...(measured === null ? {} : figuresJson(measured)),
    recall_curves: curves.map(({ k, queryCount, points }) => ({ limit: k, queries: queryCount, points })),
  }));
  return { ...segmentJson(segment), ...(graphs.length === 0 ? {} : { graphs }) };
}

/** Segments have numbers here, UUIDs in the API: the number is its last twelve digits. */
function segmentJson(segment: { readonly id: number; readonly points: number }): object {
  const digits = segment.id.toString(16).padStart(12, '0');
  return { uuid: `00000000-0000-0000-0000-${digits}`, points_count: segment.points };
}
