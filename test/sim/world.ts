/** What every part of a simulated cluster shares, and what a client and a node say to each other. */
import type { AllocId, Limits } from '@quiver/replication';
import type { Checks } from './checks.ts';
import type { EventLoop, Random } from './event-loop.ts';
import type { Host } from './host.ts';
import type { Meta, MetaAccess } from './meta.ts';
import type { Mutant } from './mutant.ts';
import type { Network } from './network.ts';
import type { Change, Record } from './point-store.ts';

export interface World {
  readonly loop: EventLoop;
  readonly random: Random;
  readonly network: Network;
  readonly meta: Meta;
  readonly access: MetaAccess;
  readonly checks: Checks;
  readonly mutant: Mutant | null;
  readonly limits: Partial<Limits>;
  readonly slotCount: number;
  readonly disk: { readonly slow: number; readonly failure: number };
  /** Process of a node; undefined when there is none of that name. */
  readonly nodeOf: (
    name: string,
  ) => { deliver(shard: number, alloc: AllocId, run: (host: Host) => void): void } | undefined;
  readonly count: (what: string) => void;
}

export interface WriteRequest {
  readonly op: number;
  readonly operationKey: string | null;
  readonly changes: readonly Change[];
  readonly waitFor: 'durable' | 'applied';
  readonly timeoutMs: number;
}
export type WriteAnswer =
  /** seq null: done in another shard, before the slot came here */
  | { readonly kind: 'ok'; readonly seq: number | null; readonly term: number }
  | { readonly kind: 'refused'; readonly reason: string; readonly isIndeterminate: boolean };
export type ReadAnswer =
  | { readonly kind: 'ok'; readonly record: Record | null; readonly term: number }
  | { readonly kind: 'refused' };
