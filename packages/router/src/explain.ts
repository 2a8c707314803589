/** `explain`, an extension: how a request asks for it, and how the answer is written. Field names as in docs/explain.md. */
import { ClusterError, type SegmentExplanation, type ShardExplanation } from '@quiver/model';

/** Metadata of gRPC calls: `true` asks, the answer's holds JSON. */
export const explainMetadata = 'x-quiver-explain';

/** Metadata is bounded by clients at 8 KiB; the rest of the segments is counted. */
const metadataBytesMax = 6_000;

/** @throws ClusterError bad_request */
export function explainOfMetadata(value: string | undefined): boolean {
  if (value === undefined || value === 'false') return false;
  if (value === 'true') return true;
  throw new ClusterError(
    'bad_request',
    `metadata ${explainMetadata} is ${JSON.stringify(value)}; it takes true or false`,
  );
}

export function explanationJson(shards: readonly ShardExplanation[]): object {
  return {
    shards: shards.map(({ shardId, node, segments }) => ({
      shard: shardId,
      node,
      segments: segments.map(segmentJson),
    })),
  };
}

function segmentJson(segment: SegmentExplanation): object {
  const { deletedRows, visitedNodes, time, efFrom, ...rest } = segment;
  return {
    ...rest,
    ef_from: efFrom,
    deleted_rows: deletedRows,
    visited_nodes: visitedNodes,
    time_us: { filter: time.filterUs, search: time.searchUs },
  };
}

/** Short enough for metadata: segments that do not fit are left out and counted. */
export function explanationMetadata(queries: readonly (readonly ShardExplanation[])[]): string {
  const whole = JSON.stringify(queries.map(explanationJson));
  if (whole.length <= metadataBytesMax) return whole;
  let room = metadataBytesMax;
  let leftOut = 0;
  const shortened = queries.map((shards) => ({
    shards: shards.map(({ shardId, node, segments }) => ({
      shard: shardId,
      node,
      segments: segments.map(segmentJson).filter((segment) => {
        room -= JSON.stringify(segment).length + 64;
        if (room < 0) leftOut += 1;
        return room >= 0;
      }),
    })),
  }));
  return JSON.stringify([...shortened, { segments_left_out: leftOut }]);
}
