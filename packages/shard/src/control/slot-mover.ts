/**
 * Slots that leave and enter one replica's shard, while it is the primary: runs the machines of both sides (SlotSource,
 * SlotTarget of @quiver/replication), and deletes what is left of slots that are gone. Level-triggered: what is to be done
 * follows from the catalogue's record alone.
 * Always: everything is given up with the term it began in; rubbish is deleted only while no slots of the shard key move,
 * and never what is on its way here.
 */
import {
  ClusterError,
  containsRuns,
  isSameKey,
  nextSlotMove,
  ownsPoint,
  primaryOf,
  shardOf,
  slotTest,
  type CollectionRecord,
  type PointId,
  type ResolvedOperation,
  type ShardRecord,
  type SlotMove,
  type SlotRuns,
} from '@quiver/model';
import {
  SlotSource,
  SlotTarget,
  type MoveName,
  type SlotMessage,
  type SlotSourceEffect,
  type SlotSourceInput,
  type SlotTargetEffect,
  type SlotTargetInput,
} from '@quiver/replication';
import { segmentSchemaOf } from '@quiver/segment';
import type { ShardMeta } from '../shard-cluster.ts';
import type { OrderedChange } from './change.ts';
import type { ReplicaCalls } from './replica-calls.ts';
import type { ReplicaHost } from './replica-host.ts';
import { ReplicaPages } from './replica-pages.ts';
import type { FrameMessage } from './replication-codec.ts';
import type { SearchContext, SearchState } from './search-state.ts';
import type { NodeBandwidth } from './segment-exchange.ts';
import { decideMove } from './slot-decision.ts';
import { SlotOrders, type PrimaryNow } from './slot-orders.ts';

type Message = SlotMessage<OrderedChange>;
type WithoutNow<T> = T extends unknown ? Omit<T, 'nowMs'> : never;

export interface SlotMoverOptions {
  readonly number: number;
  readonly context: SearchContext & NodeBandwidth & { readonly meta: ShardMeta };
  readonly search: SearchState;
  readonly calls: ReplicaCalls;
  readonly vectorNames: readonly string[];
  /** As the catalogue has it now. */
  readonly place: () => { readonly record: CollectionRecord; readonly shard: ShardRecord };
  /** null: there is none now. */
  readonly host: () => ReplicaHost | null;
  /** To a replica of another shard. */
  readonly send: (shard: ShardRecord, to: number, message: FrameMessage) => void;
}

interface Outgoing {
  readonly source: SlotSource<OrderedChange>;
  readonly move: SlotMove;
  /** Deletions before it are of points that were not copied. */
  readonly startSeq: number;
  fence: number;
  isMoved: boolean;
}

/** After a move or a clean-up that failed, before it is begun anew. */
const retryMs = 1_000;

export class SlotMover {
  readonly #options: SlotMoverOptions;
  readonly #pages: ReplicaPages;
  readonly #orders: SlotOrders;
  /** Of the primary whose moves these are; 0: it is none. */
  #term = 0;
  #outgoing: Outgoing | null = null;
  #target = new SlotTarget<OrderedChange>();
  #attempts = 0;
  #retryAtMs = 0;
  #isCleaning = false;
  #cleanAtMs = 0;
  #isClosed = false;

  constructor(options: SlotMoverOptions) {
    this.#options = options;
    const { number, context, search, calls, vectorNames } = options;
    this.#pages = new ReplicaPages(context.store, number, vectorNames);
    this.#orders = new SlotOrders({ env: context.env, pages: this.#pages, search, calls, vectorNames });
  }

  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  /**
   * Whether the points of an operation are another shard's (some of them), for which `slots` were meant.
   * @throws ClusterError stale_route: they are on their way to one
   */
  isElsewhere(operation: ResolvedOperation, slots: SlotRuns | null): boolean {
    const { shard } = this.#options.place();
    const touches = touchOf(operation, slots ?? shard.slots);
    const source = this.#outgoing?.source;
    if (source !== undefined && (source.isFenced || this.#outgoing!.isMoved) && touches([source.slots]))
      throw new ClusterError('stale_route', `slots ${source.slots.join('..')} are moving to another shard`);
    if (slots !== null) {
      if (containsRuns(shard.slots, slots)) return false;
      if (isFiltered(operation)) return true;
    }
    return !idsOf(operation).every((id) => ownsPoint(shard.slots, id));
  }

  /** The record, the role or the time is another. */
  poke(): void {
    const { host, place, context } = this.#options;
    if (this.#isClosed) return;
    const { record, shard } = place();
    const status = host()?.status;
    const term = status?.role === 'primary' && host()!.isSearchable ? status.term : 0;
    if (term !== this.#term) {
      this.#end();
      this.#term = term;
      this.#target = new SlotTarget();
      this.#cleanAtMs = 0;
    }
    if (term === 0) return;
    this.#stepTarget({ kind: 'view', cfgVersion: shard.cfgVersion, slots: shard.slots });
    this.#stepTarget({ kind: 'tick', nowMs: context.env.now() });
    this.#pokeSource(record, shard);
    this.#pokeCleaning(record, shard);
  }

  receive(from: number, message: Message): void {
    this.poke();
    if (this.#term === 0) return;
    const nowMs = this.#options.context.env.now();
    if (message.kind === 'slot_step' || message.kind === 'slot_stop')
      this.#stepTarget({ kind: 'receive', from, message, nowMs });
    else if (this.#outgoing !== null) this.#stepSource(this.#outgoing, { kind: 'receive', message });
  }

  #pokeSource(record: CollectionRecord, shard: ShardRecord): void {
    const { context } = this.#options;
    const wanted = nextSlotMove(record);
    const outgoing = this.#outgoing;
    if (outgoing !== null) {
      const { move, source } = outgoing;
      if (!containsRuns(shard.slots, [move.slots])) {
        this.#end();
        return;
      }
      const isWanted =
        wanted !== null && wanted.toShard === move.toShard && wanted.slots.join() === move.slots.join();
      if (!isWanted && !outgoing.isMoved)
        this.#stepSource(outgoing, { kind: 'stop', reason: 'another move is wanted' });
      else if (!source.isEnded) this.#stepSource(outgoing, { kind: 'tick' });
      return;
    }
    if (wanted === null || wanted.fromShard !== shard.shardId || context.env.now() < this.#retryAtMs) return;
    this.#attempts += 1;
    const name = { fromShard: shard.shardId, term: this.#term, attempt: this.#attempts };
    const source = new SlotSource<OrderedChange>(name, wanted.slots);
    const startSeq = this.#options.host()!.status.lastSeq;
    this.#outgoing = { source, move: wanted, startSeq, fence: 0, isMoved: false };
    this.#stepSource(this.#outgoing, { kind: 'start' });
  }

  /** Nothing more is done for the move that leaves; whoever waits for its fence may go on. */
  #end(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = null;
    this.#options.search.replica?.applied.setHandingSlots(false);
    if (outgoing !== null) this.#lower(outgoing);
  }

  #lower(outgoing: Outgoing): void {
    const { fence } = outgoing;
    if (fence === 0) return;
    outgoing.fence = 0;
    this.#options.calls.lowered(fence);
    this.#options.host()?.step({ kind: 'unfence', fence });
  }

  #stepSource(outgoing: Outgoing, input: WithoutNow<SlotSourceInput<OrderedChange>>): void {
    if (this.#outgoing !== outgoing) return;
    const nowMs = this.#options.context.env.now();
    for (const effect of outgoing.source.step({ ...input, nowMs })) this.#performSource(outgoing, effect);
  }

  #performSource(outgoing: Outgoing, effect: SlotSourceEffect<OrderedChange>): void {
    const { place, calls, host, context, search } = this.#options;
    const { move } = outgoing;
    switch (effect.kind) {
      case 'send': {
        const shard = shardOf(place().record, move.toShard);
        const primary = shard === undefined ? undefined : primaryOf(shard);
        if (primary !== undefined) this.#options.send(shard!, primary.replica, effect.message);
        break;
      }
      case 'read_slots':
        void this.#read(outgoing, effect);
        break;
      case 'fence':
        void calls
          .fence((fence) => {
            outgoing.fence = fence;
            const slots = Array.from({ length: move.slots[1] - move.slots[0] }, (_, i) => move.slots[0] + i);
            host()?.step({ kind: 'fence', fence, slots });
          })
          .then(() => this.#stepSource(outgoing, { kind: 'fenced' }));
        break;
      case 'unfence':
        this.#lower(outgoing);
        break;
      case 'decide':
        // Before the command can come into effect: from then on the other shard may take writes to these slots.
        search.replica?.applied.setHandingSlots(true);
        void this.#decide(outgoing, effect.toCfgVersion);
        break;
      case 'ended': {
        const { shard } = place();
        context.log[effect.isMoved ? 'debug' : 'info']('slots: a move has ended', {
          shard: shard.shardId,
          to: move.toShard,
          slots: move.slots,
          is_moved: effect.isMoved,
          reason: effect.reason,
        });
        // The fence stays until the record shows who owns the slots now.
        if (effect.isMoved) outgoing.isMoved = true;
        else {
          this.#retryAtMs = context.env.now() + retryMs;
          this.#end();
        }
      }
    }
  }

  async #read(
    outgoing: Outgoing,
    { afterSeq, budgetBytes }: { readonly afterSeq: number; readonly budgetBytes: number },
  ): Promise<void> {
    const { host, context } = this.#options;
    const { slots } = outgoing.source;
    const has = slotTest([slots]);
    const { startSeq: deletionsAfter } = outgoing;
    // Everything up to here is in the page's snapshot.
    const durableSeq = host()?.status.durableSeq ?? 0;
    try {
      const page = await this.#pages.readSlots({ afterSeq, budgetBytes, has, deletionsAfter });
      if ((host()?.status.tombstoneHorizon ?? 0) > deletionsAfter) {
        this.#stepSource(outgoing, { kind: 'stop', reason: 'deletions since its begin are forgotten' });
        return;
      }
      // Behind the fence writes wait, and it is little.
      if (!outgoing.source.isFenced) await context.outbound.take(page.bytes);
      const upToSeq = page.isEnd ? Math.max(page.upToSeq, durableSeq) : page.upToSeq;
      this.#stepSource(outgoing, { kind: 'slot_page', ...page, upToSeq });
    } catch (error) {
      context.log.warn('slots: reading the points of a move failed', { error });
      this.#stepSource(outgoing, { kind: 'stop', reason: 'reading failed' });
    }
  }

  async #decide(outgoing: Outgoing, expectToCfg: number): Promise<void> {
    const { place, context, search } = this.#options;
    const { record, shard } = place();
    const { shardId, cfgVersion: expectCfg } = shard;
    const { toShard, slots } = outgoing.move;
    const isWanted = (): boolean => this.#outgoing === outgoing && !this.#isClosed;
    const outcome = await decideMove(
      { meta: context.meta, env: context.env, isWanted },
      { kind: 'move_slots', uuid: record.uuid, shardId, toShard, slots: [slots], expectCfg, expectToCfg },
    );
    if (outcome === null || !isWanted()) return;
    if (outcome === 'refused') search.replica?.applied.setHandingSlots(false);
    this.#stepSource(outgoing, { kind: 'decided', outcome });
    this.poke();
  }

  #stepTarget(input: SlotTargetInput<OrderedChange>): void {
    for (const effect of this.#target.step(input)) this.#performTarget(effect);
  }

  #performTarget(effect: SlotTargetEffect<OrderedChange>): void {
    if (effect.kind === 'send') {
      const { record, shard } = this.#options.place();
      this.#options.send(shardOf(record, effect.message.fromShard) ?? shard, effect.to, effect.message);
      return;
    }
    const { move, step } = effect;
    const primary = this.#primaryFor(() => this.#target.isUnderWay(move));
    const done =
      effect.kind === 'write'
        ? this.#orders.write(effect.changes, primary)
        : this.#orders.delete(slotTest(effect.slots), primary);
    done.then(
      () => this.#written(move, step, null),
      (error: unknown) => this.#written(move, step, error instanceof Error ? error.message : String(error)),
    );
  }

  #written(move: MoveName, step: number, failure: string | null): void {
    const nowMs = this.#options.context.env.now();
    this.#stepTarget({ kind: 'written', move, step, failure, nowMs });
  }

  /** This primary, as long as it is one in this term and `isWanted`. */
  #primaryFor(isWanted: () => boolean): () => PrimaryNow | null {
    const [term, target] = [this.#term, this.#target];
    return () => {
      const { host, place } = this.#options;
      const status = host()?.status;
      const isStill =
        !this.#isClosed && this.#target === target && status?.role === 'primary' && status.term === term;
      return isStill && isWanted() ? { host: host()!, cfgVersion: place().shard.cfgVersion } : null;
    };
  }

  #pokeCleaning(record: CollectionRecord, shard: ShardRecord): void {
    const { context } = this.#options;
    const isDue = shard.holdsMore === true && !isResharded(record, shard) && this.#target.held.length === 0;
    if (!isDue || this.#isCleaning || context.env.now() < this.#cleanAtMs) return;
    this.#isCleaning = true;
    this.#clean(record, shard)
      .catch((error: unknown) => context.log.debug('slots: cleaning is put off', { error }))
      .finally(() => {
        this.#isCleaning = false;
        this.#cleanAtMs = context.env.now() + retryMs;
      });
  }

  async #clean({ uuid }: CollectionRecord, { shardId, cfgVersion }: ShardRecord): Promise<void> {
    const { place, context } = this.#options;
    const isRubbish = (slot: number): boolean =>
      !hasSlot(place().shard.slots, slot) && !hasSlot(this.#target.held, slot);
    // With a newer configuration more may have come, and there will be another pass.
    await this.#orders.delete(
      isRubbish,
      this.#primaryFor(() => place().shard.cfgVersion === cfgVersion),
    );
    await context.meta.propose({ kind: 'slots_cleaned', uuid, shardId, expectCfg: cfgVersion });
  }
}

/** Of all vectors that a point of the collection may have. */
export function vectorNamesOf({ config }: CollectionRecord): string[] {
  return segmentSchemaOf(config.params).vectors.map(({ name }) => name);
}

function hasSlot(runs: SlotRuns, slot: number): boolean {
  return runs.some(([from, to]) => slot >= from && slot < to);
}

function isResharded({ resharding }: CollectionRecord, { shardKey }: ShardRecord): boolean {
  return resharding !== null && isSameKey(resharding.shardKey, shardKey);
}

function isFiltered(operation: ResolvedOperation): boolean {
  return 'target' in operation && operation.target.filter !== null;
}

function idsOf(operation: ResolvedOperation): readonly PointId[] {
  return 'points' in operation ? operation.points.ids : operation.target.ids;
}

/** Whether any point that the operation names, or any slot that its filter was evaluated for, is among some slots. */
function touchOf(operation: ResolvedOperation, meant: SlotRuns): (slots: SlotRuns) => boolean {
  if (isFiltered(operation))
    return (slots) => slots.some(([a, b]) => meant.some(([from, to]) => a < to && from < b));
  return (slots) => idsOf(operation).some((id) => ownsPoint(slots, id));
}
