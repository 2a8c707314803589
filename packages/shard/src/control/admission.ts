/**
 * What a node takes in before writes wait or are refused. Always: decided before a write has its place in the order, so a
 * refusal leaves nothing behind; deletions pass, since they are what ends a shortage.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type ResolvedOperation } from '@quiver/model';
import { wantedGraphKib, wantsGraph } from '@quiver/segment';
import type { NodeMemory } from './node-memory.ts';
import type { Replica } from './replica.ts';
import { graphsOf, indexingThresholdKibOf } from './wanted-graphs.ts';

/** The longest that one write is held back for a graph to follow. */
const backlogDelayMsMax = 1_000;

export class Admission {
  readonly #bytesMax: number;
  readonly #memory: Pick<NodeMemory, 'admit'> | null;
  #bytes = 0;

  /**
   * @param bytesMax - of writes of all shards that are not answered yet
   * @param memory - of the process; null: it is not watched
   */
  constructor(bytesMax: number, memory: Pick<NodeMemory, 'admit'> | null = null) {
    this.#bytesMax = bytesMax;
    this.#memory = memory;
  }

  /** @returns what ends it. @throws ClusterError rate_limited, insufficient_storage */
  begin(bytes: number): () => void {
    this.#memory?.admit(bytes);
    // One write may always go: one that is larger than the limit would never.
    if (this.#bytes > 0 && this.#bytes + bytes > this.#bytesMax)
      throw new ClusterError(
        'rate_limited',
        `${this.#bytes} bytes of writes are under way on this node, the limit is ${this.#bytesMax}`,
        { retryAfterSeconds: 1 },
      );
    this.#bytes += bytes;
    return () => {
      this.#bytes -= bytes;
    };
  }
}

/** Vectors and payload; the rest is small. */
export function bytesOfOperation(operation: ResolvedOperation): number {
  if (!isMore(operation)) return 0;
  const { payloads, vectors } = operation.points;
  let bytes = payloads.bytes.byteLength;
  for (const { values } of vectors.values()) bytes += values.byteLength;
  return bytes;
}

function isMore(
  operation: ResolvedOperation,
): operation is Extract<ResolvedOperation, { kind: 'upsert' | 'update_vectors' }> {
  return operation.kind === 'upsert' || operation.kind === 'update_vectors';
}

/** Holds a write back while graphs lag behind. @throws ClusterError rate_limited */
export async function untilIndexed(
  replica: Replica,
  operation: ResolvedOperation,
  limits: { readonly env: Env; readonly unindexedBytesMax: () => number; readonly deadlineMs: number },
): Promise<void> {
  const { env, unindexedBytesMax, deadlineMs } = limits;
  if (!isMore(operation)) return;
  const delayMs = backlogDelayMs(unindexedBytes(replica), unindexedBytesMax());
  if (delayMs === 0) return;
  await new Promise<void>((resolve) => {
    env.after(Math.min(delayMs, Math.max(0, deadlineMs - env.now())), resolve);
  });
}

/**
 * How long a write waits because graphs lag behind what was written: nothing up to the limit, then more and more, and at
 * twice the limit no more is taken.
 * @param limitBytes - 0: no limit
 * @throws ClusterError rate_limited
 */
export function backlogDelayMs(backlogBytes: number, limitBytes: number): number {
  if (limitBytes === 0 || backlogBytes <= limitBytes) return 0;
  const share = (backlogBytes - limitBytes) / limitBytes;
  if (share >= 1)
    throw new ClusterError(
      'rate_limited',
      `${backlogBytes} bytes of vectors wait to be indexed, twice the limit (quiver.unindexed_limit_mb) of ${limitBytes}`,
      { retryAfterSeconds: 5 },
    );
  return share * backlogDelayMsMax;
}

/** Bytes of dense vectors that are to have a graph and have none. A sealed segment too small for one is at rest: it waits for nothing. */
function unindexedBytes(replica: Replica): number {
  const threshold = indexingThresholdKibOf(replica.record);
  if (threshold === 0) return 0;
  const wanted = graphsOf(replica.record);
  let rowBytes = 0;
  for (const vector of replica.schema.vectors) {
    const graph = wanted.get(vector.name);
    if (vector.kind === 'dense' && graph !== undefined && wantsGraph(graph)) rowBytes += 4 * vector.dim;
  }
  let bytes = 0;
  for (const reader of replica.allSegments()) {
    const { kind, graphs } = reader.descriptor;
    if (graphs.length > 0) continue;
    if (kind === 'sealed' && wantedGraphKib(reader, wanted) < threshold) continue;
    bytes += (reader.rowCount() - reader.deadCount()) * rowBytes;
  }
  return bytes;
}
