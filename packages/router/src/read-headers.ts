/** Headers about reads, the same names over REST and (as metadata) over gRPC. */

/** Reads with the same value are kept on one replica of each shard; Qdrant's own. */
export const affinityHeader = 'x-qdrant-route-affinity';

/** `allow`: an answer without the shards that nobody answers for is taken. An extension of Quiver. */
export const partialResultsHeader = 'x-quiver-partial-results';

/** In the answer: numbers of the shards that are not in it, by comma; absent when none is missing. */
export const missingShardsHeader = 'x-quiver-missing-shards';
