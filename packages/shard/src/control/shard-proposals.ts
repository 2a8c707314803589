/**
 * What a replica asks of the metadata store: proposals, and its shard's record read anew. Always: a bounded number at a
 * time, of the replica and of the node; of one kind that waits its turn the newest goes; what is dropped or fails is
 * asked again by the replication machine.
 */
import { mayServe, type ShardRecord } from '@quiver/model';
import type { MetaCommand } from '@quiver/rpc';
import type { Log } from '@quiver/telemetry';
import type { ShardMeta } from '../shard-cluster.ts';
import type { MetaEffect } from './host-effect.ts';
import type { Turns } from './turns.ts';

export interface ShardProposalsOptions {
  readonly number: number;
  readonly uuid: string;
  readonly shardId: number;
  readonly meta: ShardMeta;
  /** Of all replicas of the node: after a restart each of them asks for a new term. */
  readonly turns: Turns;
  /** Whether a new term is needed now; else it waits until `proposeHeld`. Default: it is. */
  readonly needsTerm?: () => boolean;
  readonly log: Log;
}

type Proposal = Extract<MetaEffect, { kind: 'alter_isr' | 'bump_term' | 'propose_hand_over' }>;

/** Asks that may be on their way for one replica. */
const asksMax = 8;

export class ShardProposals {
  readonly #options: ShardProposalsOptions;
  #asks = 0;
  /** Commands that wait their turn. */
  readonly #queued = new Map<MetaCommand['kind'], MetaCommand>();
  #isStopped = false;
  /** A new term that nobody needs yet. */
  #heldTerm: MetaCommand | null = null;

  constructor(options: ShardProposalsOptions) {
    this.#options = options;
  }

  stop(): void {
    this.#isStopped = true;
  }

  propose(effect: Proposal): void {
    const { uuid, shardId, number } = this.#options;
    const shard = { uuid, shardId };
    switch (effect.kind) {
      case 'alter_isr': {
        const { term, cfgVersion: expectCfg } = effect;
        this.#command({ kind: 'alter_in_sync', ...shard, term, expectCfg, inSync: effect.isr.map(Number) });
        break;
      }
      case 'bump_term':
        this.#heldTerm = { kind: 'bump_term', ...shard, expectTerm: effect.term, replica: number };
        if (this.#options.needsTerm?.() !== false) this.proposeHeld();
        break;
      case 'propose_hand_over': {
        const to = Number(effect.to);
        this.#command({ kind: 'hand_over', ...shard, expectTerm: effect.term, from: number, to });
      }
    }
  }

  /** Of thousands of replicas that start together and are asked for nothing the metadata orders no new terms. */
  proposeHeld(): void {
    const held = this.#heldTerm;
    this.#heldTerm = null;
    if (held !== null) this.#command(held);
  }

  /** Another allocation is to take this one's place. */
  replicaLost(): void {
    const { uuid, shardId, number: replica } = this.#options;
    this.#command({ kind: 'replica_lost', uuid, shardId, replica });
  }

  /** The shard's record, read linearizably. */
  read(use: (shard: ShardRecord) => void): void {
    const { meta, uuid, shardId } = this.#options;
    this.#limited(async () => {
      const shard = await meta.linearizableShard(uuid, shardId);
      if (shard !== null && !this.#isStopped) use(shard);
    });
  }

  /** Whether the record, read linearizably, lets this replica answer reads. Beside the asks that are counted. */
  async isInSync(): Promise<boolean> {
    const { meta, uuid, shardId, number } = this.#options;
    const shard = await meta.linearizableShard(uuid, shardId);
    return shard !== null && mayServe(shard, number);
  }

  #command(command: MetaCommand): void {
    const { kind } = command;
    const waits = this.#queued.has(kind);
    this.#queued.set(kind, command);
    if (waits) return;
    const isBegun = this.#limited(async () => {
      const { meta, turns } = this.#options;
      const endTurn = await turns.take();
      try {
        const newest = this.#queued.get(kind)!;
        this.#queued.delete(kind);
        if (!this.#isStopped) await meta.propose(newest);
      } finally {
        endTurn();
      }
    });
    if (!isBegun) this.#queued.delete(kind);
  }

  /** @returns false: too many are under way */
  #limited(start: () => Promise<unknown>): boolean {
    if (this.#asks >= asksMax || this.#isStopped) return false;
    this.#asks += 1;
    const { log, number } = this.#options;
    start()
      .catch((error: unknown) => log.debug('a proposal to meta failed', { replica: number, error }))
      .finally(() => {
        this.#asks -= 1;
      });
    return true;
  }
}
