/**
 * What a node's memory budget means for those who take of it: shares of it, and never more than what is of use where there is
 * plenty. Pure. Always: what waits to be sealed, a graph being built of it, and what is sealed fit side by side.
 */
export interface MemoryLimits {
  /** Touched memory that waits for reuse; what is beyond it goes back to the system. */
  readonly pooledBytesMax: number;
  /** Writes of all shards that are not answered yet. */
  readonly admittedBytesMax: number;
  /** Dense rows of one head. */
  readonly headBytesMax: number;
  /** Vectors that wait during a load until they are sealed, f32. */
  readonly loadBytesMax: number;
  /** Vectors of one merge, f32; what waits is taken oldest first up to it. */
  readonly mergeBytesMax: number;
  /** Vectors of a shard without a graph from which on its writes are slowed; 0: no limit. */
  readonly unindexedBytesMax: number;
}

const mib = 1 << 20;

/**
 * @param budgetBytes - of segments
 * @param arenaBytes - most that one segment's core can have
 * @param unindexedBytes - as configured; 0: no limit
 */
export function memoryLimits(budgetBytes: number, arenaBytes: number, unindexedBytes: number): MemoryLimits {
  const atMost = (share: number, bytes: number): number => Math.floor(Math.min(bytes, budgetBytes / share));
  return {
    pooledBytesMax: atMost(16, 256 * mib),
    admittedBytesMax: atMost(8, 256 * mib),
    headBytesMax: atMost(32, 64 * mib),
    loadBytesMax: atMost(12, 256 * mib),
    mergeBytesMax: atMost(4, arenaBytes / 2),
    unindexedBytesMax: unindexedBytes === 0 ? atMost(4, Infinity) : atMost(4, unindexedBytes),
  };
}
