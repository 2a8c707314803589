/**
 * One replica that the catalogue places on this node: its order (replica-host.ts), its memory (search-state.ts), and what
 * serve threads ask of it. Always: readers are answered only while the replica is whole and in the in-sync set as it
 * knows it; after a failure everything is opened anew from the disk, as a restart would.
 */
import { ClusterError, mayServe, type CollectionRecord, type ShardRecord } from '@quiver/model';
import type { ShardState } from '@quiver/rpc';
import { asClusterError, StorageError } from '@quiver/storage';
import type { ConfirmedRead } from '../protocol.ts';
import type { ShardMeta } from '../shard-cluster.ts';
import type { Admission } from './admission.ts';
import { describeReplica } from './describe.ts';
import { blobsOf, emptyManifest } from './manifest.ts';
import { LeaseRenewal } from './lease-renewal.ts';
import { Primacy } from './primacy.ts';
import { ReplicaCalls } from './replica-calls.ts';
import type { MetaEffect } from './host-effect.ts';
import { ReplicaHost } from './replica-host.ts';
import { ReplicaWrites } from './replica-writes.ts';
import { isSlotMessage, type FrameMessage } from './replication-codec.ts';
import type { ReplicaSource } from './read-ahead.ts';
import { readReplica } from './replica-reading.ts';
import { isRecordMessage } from './record-message.ts';
import { removeRecords } from './records.ts';
import { ReplicaMending } from './replica-mending.ts';
import { reportOf, type ReplicaReport } from './replica-report.ts';
import { isRoomMessage } from './room-message.ts';
import { RoomSearch } from './room-search.ts';
import { isAtRest, restTicks } from './rest.ts';
import { SearchState, type SearchContext } from './search-state.ts';
import { SegmentExchange, type NodeBandwidth } from './segment-exchange.ts';
import { ShardProposals } from './shard-proposals.ts';
import { viewOf } from './shard-view.ts';
import { SlotMover, vectorNamesOf } from './slot-mover.ts';

/** After a failure, before the replica is opened anew. */
const reopenAfterMs = 2_000;

export interface HostedContext extends SearchContext, NodeBandwidth {
  readonly meta: ShardMeta;
  readonly admission: Admission;
  readonly servingLeaseMs: number;
  /** Unindexed vectors of a replica from which on its writes are slowed; 0: no limit. */
  readonly unindexedBytesMax: () => number;
  readonly send: (shard: ShardRecord, from: number, to: number, message: FrameMessage) => void;
}

export class HostedReplica {
  readonly number: number;
  readonly #context: HostedContext;
  record: CollectionRecord;
  #shard: ShardRecord;
  readonly #search: SearchState;
  readonly #calls = new ReplicaCalls();
  readonly #segments: SegmentExchange;
  readonly writes: ReplicaWrites;
  /** Of what the disk holds of it. */
  readonly mending: ReplicaMending;
  readonly #room: RoomSearch;
  readonly #meta: ShardProposals;
  readonly #slots: SlotMover;
  #host: ReplicaHost | null = null;
  #isClosed = false;
  #report: ReplicaReport | null = null;
  readonly #primacy: Primacy;
  readonly #lease: LeaseRenewal;

  constructor(context: HostedContext, record: CollectionRecord, shard: ShardRecord, number: number) {
    this.#context = context;
    this.record = record;
    this.#shard = shard;
    this.number = number;
    this.#search = new SearchState(context, record, shard.shardId, number);
    const own = { number, context, search: this.#search, calls: this.#calls };
    this.#segments = new SegmentExchange({
      ...own,
      primary: () => this.#shard.primary,
      ledHistory: () => this.#host?.ledHistory ?? null,
      send: (to, message) => context.send(this.#shard, number, to, message),
    });
    this.#slots = new SlotMover({
      ...own,
      vectorNames: vectorNamesOf(record),
      place: () => ({ record: this.record, shard: this.#shard }),
      host: () => this.#host,
      send: (other, to, message) => context.send(other, number, to, message),
    });
    const { meta, env, log, proposals: turns } = context;
    this.#meta = new ShardProposals({
      ...{ number, uuid: record.uuid, shardId: shard.shardId, meta, turns, log },
      needsTerm: () => this.#primacy.isAwaited || !this.#isAtRest,
    });
    this.#primacy = new Primacy({
      ...own,
      env,
      isClosed: () => this.#isClosed,
      shard: () => this.#shard,
      host: () => this.#host,
      onAwaited: () => this.#meta.proposeHeld(),
    });
    this.#lease = new LeaseRenewal({
      env,
      leaseMs: context.servingLeaseMs,
      isAlone: () => this.#primacy.isAlone,
      askMeta: () => (mayServe(this.#shard, number) ? this.#meta.isInSync() : null),
      askOthers: (timeoutMs) => this.#primacy.askOthers(timeoutMs),
      onChange: (end) => this.#search.replica?.applied.setLease(end),
    });
    const others = {
      others: () => this.#shard.inSync.filter((replica) => replica !== number),
      send: (to: number, message: FrameMessage) => context.send(this.#shard, number, to, message),
    };
    this.#room = new RoomSearch({
      ...{ number, store: context.store, env, log, ...others },
      handOver: (to, timeoutMs) => this.#primacy.handOver(timeoutMs, to),
    });
    this.writes = new ReplicaWrites({
      ...{ ...own, primacy: this.#primacy, room: this.#room, slots: this.#slots },
      record: () => this.record,
      host: () => this.#host,
    });
    this.mending = new ReplicaMending({
      ...{ ...own, ...others },
      host: () => this.#host,
      onDamage: (error) => this.failed(error),
    });
  }

  get shard(): ShardRecord {
    return this.#shard;
  }

  get search(): SearchState {
    return this.#search;
  }
  /** Blobs that something durable names. */
  get blobIds(): number[] {
    return [...blobsOf(this.#search.manifest() ?? emptyManifest), ...this.#segments.blobIds];
  }

  /** Reads what the disk holds, or `ahead` if it was read, and starts the machine. @throws StorageError, ArenaBudgetError */
  async open(ahead: ReplicaSource | null = null): Promise<void> {
    const { store } = this.#context;
    const { number, record } = this;
    const owner = { uuid: record.uuid, shardId: this.#shard.shardId };
    const { source, isNew, loaded, index } = await readReplica(store, number, owner, ahead);
    this.#segments.load(source);
    // What came and went since an older configuration is on the disk, or is not.
    this.#search.raiseConfigurationMin(this.#shard.cfgVersion);
    // A half-done copy shows nobody anything: it is opened when it is whole.
    const { mode, lastSeq } = loaded.persisted.state;
    if (mode === 'clean') await this.#search.open(lastSeq, loaded.copySeq, source);
    if (this.#isClosed) return;
    this.#host = new ReplicaHost({
      ...{ number, loaded, index, context: this.#context, search: this.#search, calls: this.#calls },
      copySeq: this.#search.copySeq,
      vectorNames: vectorNamesOf(record),
      send: (to, message) => this.#context.send(this.#shard, number, to, message),
      onMeta: (effect) => this.#onMeta(effect),
      onChange: () => this.#noteChange(),
      hasSegments: () => this.#segments.hasFetched,
      beforeOpen: (copied) => this.#segments.adopt(copied),
      isTailWhole: isNew || store.wasClosed,
      isLastCopy: () => !this.#hasOtherInSync(),
      onFailure: (error) => this.failed(error),
    });
    this.#host.takeView(viewOf(this.record, this.#shard));
    this.#noteChange();
  }

  setRecord(record: CollectionRecord, shard: ShardRecord): void {
    if (this.record === record) return;
    // At rest it had no tick for long, and was alone: until here it is in sync.
    this.#lease.tick();
    const isMixed = shard.holdsMore === true || this.#shard.holdsMore === true;
    this.record = record;
    this.#search.setRecord(record);
    this.#shard = shard;
    if (!this.#isAtRest) this.#meta.proposeHeld();
    if (isMixed) this.#search.raiseConfigurationMin(shard.cfgVersion);
    this.#host?.takeView(viewOf(this.record, this.#shard));
    this.#noteChange();
  }

  get #isAtRest(): boolean {
    return isAtRest(this.record, this.#shard, this.#calls.pendingCount);
  }

  /** @param count - of the ticks there were */
  tick(count: number): void {
    const isDue = (count + this.number) % restTicks === 0 || this.#primacy.isAwaited;
    if (!isDue && this.#isAtRest) return;
    this.#lease.tick();
    this.#host?.step({ kind: 'tick' });
    this.#noteChange();
  }

  /** @param bytes - of the frame it came in */
  receive(from: number, message: FrameMessage, bytes: number): void {
    if (isRecordMessage(message)) this.mending.receive(from, message);
    else if (isRoomMessage(message)) this.#room.receive(from, message);
    else if (isSlotMessage(message)) this.#slots.receive(from, message);
    else if (!this.#segments.takes(from, message)) {
      this.#host?.receive(from, message, bytes);
      this.#noteServing();
    }
  }

  /** The connection to a node broke. */
  disconnected(nodeId: number): void {
    for (const { replica, nodeId: at } of this.#shard.replicas)
      if (at === nodeId && replica !== this.number)
        this.#host?.step({ kind: 'disconnected', from: String(replica) });
  }

  /** Resolves when what was read is known to have been linearizable. @throws ClusterError */
  confirmRead(read: ConfirmedRead): Promise<void> {
    return this.#primacy.confirmRead(read);
  }

  /** @throws ClusterError stale_route: there is nothing to look at yet */
  describe(): ShardState {
    const { pendingCount } = this.#calls;
    const digest = this.#host?.digest ?? null;
    return describeReplica(this.number, this.#search, this.#context.directory, { pendingCount, digest });
  }

  report(): ReplicaReport {
    this.#report = reportOf(this.number, this.#host?.status ?? null, this.#search.replica, this.#report);
    return this.#report;
  }

  get isPrimary(): boolean {
    return this.#primacy.isPrimary;
  }
  /** See `Primacy`. */
  handOver(timeoutMs: number): Promise<boolean> {
    return this.#primacy.handOver(timeoutMs, null);
  }

  /** To another replica, for balance: not where writes would be refused. @returns whether it leads now */
  async giveTo(replica: number, timeoutMs: number): Promise<boolean> {
    return (await this.#room.ask([replica])) !== null && this.#primacy.handOver(timeoutMs, replica);
  }

  /** It is about to be closed: what waits for others is not waited for any more. */
  stopWaiting(): void {
    this.#isClosed = true;
    this.mending.close();
    this.#room.close();
    this.#slots.close();
    this.#meta.stop();
  }

  /** Nothing is written any more; resolves when nothing of it is on its way. */
  async close(): Promise<void> {
    this.stopWaiting();
    this.#calls.failAll(new ClusterError('unavailable', 'the server is stopping'));
    this.#primacy.wake();
    await this.#segments.stop();
    await this.#host?.stop();
    await this.#search.optimizer?.stop();
  }

  /** The catalogue places nothing here any more: readers are refused at once, records go in the background. */
  async drop(reason: ClusterError): Promise<void> {
    this.stopWaiting();
    const unneeded = this.blobIds;
    this.#search.discard();
    this.#calls.failAll(reason);
    this.#primacy.wake();
    await this.#segments.stop();
    await this.#host?.stop();
    await this.#search.closed();
    const { store, blobs, log } = this.#context;
    removeRecords(store, this.number)
      .then(() => (unneeded.length > 0 ? blobs.delete(unneeded) : undefined))
      .catch((error: unknown) =>
        log.warn('removing a dropped replica failed; the next start goes on', { error }),
      );
  }

  #noteChange(): void {
    this.#noteServing();
    this.#lease.note();
    this.#slots.poke();
    this.#primacy.noteChange();
  }

  #noteServing(): void {
    const { replica } = this.#search;
    const host = this.#host;
    if (replica === null || host === null || replica.isDropped) return;
    replica.applied.setServing(host.isClean && host.isSearchable && mayServe(this.#shard, this.number));
  }

  #onMeta(effect: MetaEffect): void {
    switch (effect.kind) {
      case 'alter_isr':
      case 'bump_term':
      case 'propose_hand_over':
        this.#meta.propose(effect);
        break;
      case 'replace_allocation':
        this.#search.discard();
        this.#giveUp();
        break;
      case 'refresh_view':
        this.#meta.read((shard) => this.#host?.takeView(viewOf(this.record, shard)));
        break;
      case 'confirm_with_meta':
        this.#meta.read((shard) => {
          const view = viewOf(this.record, shard);
          this.#host?.step({ kind: 'meta_confirmed', ask: effect.ask, view });
        });
    }
  }

  #hasOtherInSync(): boolean {
    return this.#shard.inSync.some((replica) => replica !== this.number);
  }

  /** Asks for another allocation in the place of this one until the catalogue has none of it here. */
  #giveUp(): void {
    if (this.#isClosed) return;
    this.#meta.replicaLost();
    this.#context.env.after(reopenAfterMs, () => this.#giveUp());
  }

  /** Opened anew until that succeeds, given up where it is damaged and another one is in sync. */
  failed(error: unknown): void {
    if (this.#isClosed) return;
    const { log, env } = this.#context;
    const isOfDisk = error instanceof StorageError;
    const isDamaged = isOfDisk && error.code === 'corruption';
    const hasOther = this.#hasOtherInSync();
    log.error(
      isDamaged && hasOther
        ? 'a replica is damaged and is given up: another one is in sync'
        : 'a replica failed and is opened anew',
      { replica: this.number, error },
    );
    this.#search.freeze();
    this.#search.discard();
    const host = this.#host;
    this.#host = null;
    const unknown = 'the replica failed; the change may still be applied';
    this.#calls.failAll(isOfDisk ? asClusterError(error) : new ClusterError('unavailable', unknown));
    const reopen = async (): Promise<void> => {
      await host?.stop();
      if (!this.#isClosed && !this.#context.store.poisoned) await this.open();
    };
    if (isDamaged && hasOther) {
      void host?.stop();
      this.#giveUp();
    } else env.after(reopenAfterMs, () => void reopen().catch((again: unknown) => this.failed(again)));
  }
}
