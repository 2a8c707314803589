/** Headers about reads, the same names over REST and (as metadata) over gRPC. */
import { ClusterError } from '@quiver/model';

/** Reads with the same value are kept on one replica of each shard; Qdrant's own. */
export const affinityHeader = 'x-qdrant-route-affinity';

/** `allow`: an answer without the shards that nobody answers for is taken. An extension of Quiver. */
export const partialResultsHeader = 'x-quiver-partial-results';

/**
 * Where the numbers of missing shards are noted; null: all must answer.
 * @throws ClusterError bad_request
 */
export function missingShardsOf(partialResults: string | undefined): Set<number> | null {
  if (partialResults === undefined) return null;
  if (partialResults === 'allow') return new Set();
  throw new ClusterError(
    'bad_request',
    `${partialResultsHeader} is ${JSON.stringify(partialResults)}; it takes allow, or is left out`,
  );
}

/** In the answer: numbers of the shards that are not in it, by comma; absent when none is missing. */
export const missingShardsHeader = 'x-quiver-missing-shards';
