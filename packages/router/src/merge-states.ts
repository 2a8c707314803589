/** The state of a collection out of its shards' states. Pure. */
import { sumMemory } from '@quiver/model';
import type { CollectionState, LiveRecallState, ShardState } from '@quiver/rpc';

const worstFirst = ['red', 'yellow', 'grey', 'green'] as const;

export function mergeStates(states: readonly ShardState[]): CollectionState {
  const [first] = states;
  if (first !== undefined && states.length === 1) return first;
  const sum = (of: (state: ShardState) => number): number =>
    states.reduce((total, state) => total + of(state), 0);
  return {
    status: worstFirst.find((status) => states.some((state) => state.status === status)) ?? 'green',
    optimizerError: states.find((state) => state.optimizerError !== null)?.optimizerError ?? null,
    pointsCount: sum((state) => state.pointsCount),
    indexedVectorsCount: sum((state) => state.indexedVectorsCount),
    vectorCounts: sumByKey(states.map((state) => state.vectorCounts)),
    segmentsCount: sum((state) => state.segmentsCount),
    payloadIndexPoints: sumByKey(states.map((state) => state.payloadIndexPoints)),
    updateQueueLength: sum((state) => state.updateQueueLength),
    running: states.flatMap((state) => state.running),
    completed: states.flatMap((state) => state.completed),
    queued: states.flatMap((state) => state.queued),
    idleSegments: states.flatMap((state) => state.idleSegments),
    memory: sumMemory(states.flatMap((state) => state.memory)),
    liveRecall: sumRecall(states.flatMap((state) => state.liveRecall)),
  };
}

function sumRecall(parts: readonly LiveRecallState[]): LiveRecallState[] {
  return [...Map.groupBy(parts, ({ vector }) => vector)].map(([vector, same]) => ({
    vector,
    queries: same.reduce((sum, { queries }) => sum + queries, 0),
    found: same.reduce((sum, { found }) => sum + found, 0),
    wanted: same.reduce((sum, { wanted }) => sum + wanted, 0),
  }));
}

function sumByKey(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums = new Map<string, number>();
  for (const record of records)
    for (const [key, value] of Object.entries(record)) sums.set(key, (sums.get(key) ?? 0) + value);
  // Object.fromEntries defines its keys: a field named __proto__ stays a field.
  return Object.fromEntries(sums);
}
