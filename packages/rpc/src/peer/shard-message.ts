/** Bodies of the calls of `quiver.internal.Shard`, as plain data. */
import type { ReadConsistency, ShardWrite } from '../contract.ts';

export interface OfCollection {
  readonly name: string;
  /** The incarnation: a recreated collection of the same name is another. */
  readonly uuid: string;
  /** Of the caller's catalogue. */
  readonly revision: number;
}

export interface DescribeBody extends OfCollection {
  readonly shardIds: readonly number[];
}

export interface ReadBody extends DescribeBody {
  readonly request: unknown;
  readonly consistency: ReadConsistency;
}

export interface WriteBody extends OfCollection {
  readonly writes: readonly ShardWrite[];
}
