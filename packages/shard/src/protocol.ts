/**
 * Messages between the threads of a shard node, as plain data, and the port they travel over. A worker's MessagePort
 * fits (`Port` of @quiver/env), and so does an inline port, which runs everything in one thread.
 * Always: messages of one port arrive in order; a message that names a segment set or an arena is posted before the
 * shared epoch that announces it rises.
 */
import type { Arena } from '@quiver/kernel';
import type { PayloadFieldSchema, ResolvedOperation, SlotRuns } from '@quiver/model';
import type { PlainError, ShardState } from '@quiver/rpc';
import type { SealProgress, SealResult, SegmentDescriptor } from '@quiver/segment';

/** One end of a channel. `In` is what arrives here. */
export interface ShardPort<In, Out> {
  /** What is in `transfer` moves to the other side. */
  post(message: Out, transfer?: readonly ArrayBuffer[]): void;
  /** Sets the one receiver and starts delivery. */
  onMessage(receive: (message: In) => void): void;
  /** Takes one queued message without yielding to the event loop; undefined when there is none. */
  receiveNow(): In | undefined;
}

/** What a thread reads of one replica: its segments, newest data last, and its control block. */
export interface SegmentSet {
  readonly replica: number;
  readonly collectionUuid: string;
  /** The control block: see applied.ts. */
  readonly control: SharedArrayBuffer;
  readonly segments: readonly SegmentDescriptor[];
}

/** Control thread -> serve thread. */
export type ToServe =
  | { readonly kind: 'arena'; readonly arena: Arena }
  /** `isUrgent`: memory is short; otherwise a thread that is busy may take some seconds. */
  | { readonly kind: 'drop_arenas'; readonly arenas: readonly number[]; readonly isUrgent: boolean }
  | { readonly kind: 'drop_files'; readonly files: readonly number[] }
  /** The whole set of each replica named; takes effect with `epoch`. */
  | { readonly kind: 'segments'; readonly epoch: number; readonly sets: readonly SegmentSet[] }
  | { readonly kind: 'drop_replica'; readonly epoch: number; readonly replica: number }
  | { readonly kind: 'written'; readonly call: number; readonly operationId: number }
  | { readonly kind: 'read_confirmed'; readonly call: number }
  | { readonly kind: 'described'; readonly call: number; readonly state: ShardState }
  | { readonly kind: 'failed'; readonly call: number; readonly failure: PlainError };

/** Serve thread -> control thread. Vectors are prepared (normalised, cut to their datatype) by the sender. */
export type ToControl =
  | {
      readonly kind: 'write';
      readonly call: number;
      readonly replica: number;
      readonly collectionUuid: string;
      /** That the operation is for; see `ShardWrite`. null: the caller did not say. */
      readonly slots: SlotRuns | null;
      readonly operation: ResolvedOperation;
      /** The operation's payload as JSON text (its numbers have forms that no clone keeps); null when it has none. */
      readonly payload: string | null;
      /** 32 hex digits: a repeated write with the same one gets the first reply. */
      readonly operationKey: string | null;
      /** From when the message is sent: threads do not share a clock. */
      readonly timeoutMs: number;
    }
  /** A read that saw the group `seq`: was this replica the primary still, and is all of it committed? */
  | {
      readonly kind: 'confirm_read';
      readonly call: number;
      readonly replica: number;
      readonly collectionUuid: string;
      readonly seq: number;
      /** Of the content that it saw: `Applied.generation`. */
      readonly generation: number;
      readonly inSyncMin: number;
      readonly timeoutMs: number;
    }
  | {
      readonly kind: 'describe';
      readonly call: number;
      readonly replica: number;
      readonly collectionUuid: string;
    }
  | {
      readonly kind: 'recall_measured';
      readonly replica: number;
      readonly collectionUuid: string;
      readonly vector: string;
      readonly found: number;
      readonly wanted: number;
    }
  | { readonly kind: 'arenas_dropped'; readonly arenas: readonly number[] };

/** What the confirmation of a read needs to know of it. */
export type ConfirmedRead = Pick<
  Extract<ToControl, { kind: 'confirm_read' }>,
  'seq' | 'generation' | 'inSyncMin' | 'timeoutMs'
>;

/** Control thread -> build thread. */
export type ToBuild =
  | { readonly kind: 'arena'; readonly arena: Arena }
  | { readonly kind: 'drop_arenas'; readonly arenas: readonly number[] }
  | { readonly kind: 'drop_files'; readonly files: readonly number[] }
  | {
      readonly kind: 'build';
      readonly task: number;
      readonly inputs: readonly SegmentDescriptor[];
      readonly target: SegmentDescriptor;
      readonly seed: number;
    }
  /** Work at a graph of a task that another thread builds, until it is cancelled or this thread has a task of its own. */
  | {
      readonly kind: 'help';
      readonly task: number;
      readonly target: SegmentDescriptor;
      readonly seed: number;
      readonly vector: string;
    }
  | {
      readonly kind: 'build_column';
      readonly task: number;
      readonly segment: SegmentDescriptor;
      readonly field: string;
      readonly schema: PayloadFieldSchema;
    }
  | {
      readonly kind: 'build_sparse';
      readonly task: number;
      readonly segment: SegmentDescriptor;
      readonly vector: string;
    }
  | { readonly kind: 'cancel'; readonly task: number };

/** Build thread -> control thread. After `built`, `bytes`, `stopped` or `helped` the thread reads none of the task's regions. */
export type FromBuild =
  | { readonly kind: 'progress'; readonly task: number; readonly progress: BuildProgress }
  | { readonly kind: 'built'; readonly task: number; readonly result: SealResult }
  | { readonly kind: 'helped'; readonly task: number }
  /** Of a column or a sparse index. */
  | { readonly kind: 'bytes'; readonly task: number; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Cancelled (`failure` null) or failed. */
  | { readonly kind: 'stopped'; readonly task: number; readonly failure: PlainError | null }
  | { readonly kind: 'arenas_dropped'; readonly arenas: readonly number[] };

export interface BuildProgress {
  readonly stage: SealProgress['stage'] | 'column';
  readonly done: number;
  readonly total: number;
  /** See `SealProgress`. */
  readonly shared: string | null;
}
