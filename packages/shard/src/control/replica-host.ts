/**
 * Runs the replication machine of one replica: inputs in, effects done in their order. Always: one input at a time; a
 * batch is submitted before anything that depends on it; a failure of the disk or of memory stops the machine, and
 * whoever waits is told that the outcome is unknown.
 */
import {
  createReplica,
  type HistoryEntry,
  type Replica as Machine,
  type ReplicaStatus,
  type ShardView,
  type StoredRecord,
} from '@quiver/replication';
import type { PointId } from '@quiver/model';
import { StorageError } from '@quiver/storage';
import { ApplyQueue } from './apply-queue.ts';
import { CatchUpTraffic, type RecordsWanted } from './catch-up-traffic.ts';
import { changeTraits, type OrderedChange } from './change.ts';
import { BucketDigests, sumIndex, type IndexSource } from './digests.ts';
import type { HostEffect, HostInput, MetaEffect, WithoutNow } from './host-effect.ts';
import { checkIndex } from './index-check.ts';
import { MemoryTruth } from './memory-truth.ts';
import { PersistQueue } from './persist-queue.ts';
import type { ReplicaCalls } from './replica-calls.ts';
import { ReplicaPages } from './replica-pages.ts';
import { ReplicaRecords, type Persist } from './replica-records.ts';
import type { LoadedReplica } from './replica-state.ts';
import type { ReplicaMessage } from './replication-codec.ts';
import type { SearchContext, SearchState } from './search-state.ts';
import type { NodeBandwidth } from './segment-exchange.ts';
import type { CopiedRecords } from './segment-fetch.ts';
import { SmallCopy } from './small-copy.ts';
import { TombstoneCollector } from './tombstone-collector.ts';

export interface ReplicaHostOptions {
  readonly number: number;
  readonly context: SearchContext & NodeBandwidth;
  readonly search: SearchState;
  readonly loaded: LoadedReplica;
  /** See `SearchState.copySeq`. */
  readonly copySeq: number | null;
  /** As it was when `loaded` was read; null: as it is now. */
  readonly index: IndexSource | null;
  readonly vectorNames: readonly string[];
  readonly calls: ReplicaCalls;
  readonly send: (to: number, message: ReplicaMessage) => void;
  readonly onMeta: (effect: MetaEffect) => void;
  /** Role, mode or term may be another now. */
  readonly onChange: () => void;
  /** Segments were fetched and wait for the records. */
  readonly hasSegments: () => boolean;
  /** The records are whole and memory is to be made from them. */
  readonly beforeOpen: (copied: CopiedRecords) => Promise<void>;
  /** Nothing that the disk had confirmed can be missing. */
  readonly isTailWhole: boolean;
  /** No other copy is in sync: a damaged one is still the best there is. */
  readonly isLastCopy: () => boolean;
  /** The machine stands still; the replica must be opened anew. */
  readonly onFailure: (error: unknown) => void;
}

export class ReplicaHost {
  /** Without what is of use at its beginning alone. */
  readonly #options: Omit<ReplicaHostOptions, 'loaded' | 'copySeq' | 'index'>;
  readonly #machine: Machine<OrderedChange, PointId>;
  readonly #records: ReplicaRecords;
  readonly #pages: ReplicaPages;
  readonly #traffic: CatchUpTraffic;
  readonly #persists: PersistQueue;
  readonly #applies: ApplyQueue;
  readonly #tombstones: TombstoneCollector;
  readonly #digests = new BucketDigests();
  readonly #truth: MemoryTruth;
  readonly #copy: SmallCopy;
  #inputs: WithoutNow<HostInput>[] = [];
  #history: readonly HistoryEntry[];
  #isStepping = false;
  #isStopped = false;

  constructor({ loaded, copySeq, index, ...options }: ReplicaHostOptions) {
    this.#options = options;
    const { number, context, search, vectorNames, isTailWhole } = options;
    const { store, env, log } = context;
    const { state, history } = loaded.persisted;
    this.#history = history;
    const onFailure = (error: unknown): void => this.#fail(error);
    this.#records = new ReplicaRecords(store, number, {
      vectorNames,
      sum: loaded.sum,
      history,
      state,
      copySeq,
      isSurelyDead: (id) => this.#applies.isIdle && search.replica?.isAlive(id) === false,
    });
    this.#truth = new MemoryTruth({
      ...{ search, records: this.#records, hasSegments: options.hasSegments },
      isClean: state.mode === 'clean',
    });
    this.#pages = new ReplicaPages(store, number, vectorNames);
    this.#traffic = new CatchUpTraffic({ pages: this.#pages, bandwidth: context, send: options.send });
    const digests = this.#digests;
    this.#applies = new ApplyQueue({
      search,
      records: this.#records,
      digests,
      beforeOpen: () =>
        options.beforeOpen({
          lastSeq: this.#machine.status.durableSeq,
          history: this.#history,
          tombstoneHorizon: this.#records.state.tombstoneHorizon,
        }),
      onPublished: (publish) => {
        this.#copy.noteWrite();
        this.step({ kind: 'applied', publish });
      },
      onOpened: () => options.onChange(),
      onDigests: (ask, buckets) => this.step({ kind: 'digests_taken', ask, buckets }),
      onFailure,
    });
    this.#persists = new PersistQueue({
      store,
      records: this.#records,
      withBatch: (effect) => this.#truth.beside(effect),
      onDurable: (persist) => this.#durable(persist),
      onFailure,
    });
    this.#tombstones = new TombstoneCollector({
      ...{ env, pages: this.#pages, records: this.#records, persists: this.#persists },
      // A saved segment or copy may hold the point alive: its tombstone must be there to be replayed.
      limitSeq: () => {
        const manifest = search.manifest();
        const savedSeq = manifest === null || manifest.segments.length === 0 ? Infinity : manifest.replaySeq;
        return Math.min(savedSeq, this.#records.tombstoneLimitSeq);
      },
      onFailure,
    });
    this.#copy = new SmallCopy({
      ...{ records: this.#records, persists: this.#persists, env, log, copyTurns: context.copyTurns },
      replica: () => search.replica,
      isAtRest: () => this.#truth.isWhole && this.isSearchable && search.optimizer?.isBusy === false,
    });
    const source = index ?? store.snapshot();
    const reading = sumIndex(source, number, env, context.indexChecks, () => !this.#isStopped);
    checkIndex(reading, number, loaded.sum, {
      digests,
      log,
      isStopped: () => this.#isStopped,
      isLastCopy: options.isLastCopy,
      onFailure,
    });
    this.#machine = createReplica<OrderedChange, PointId>(
      { allocId: String(number), startId: env.uuid(), traits: changeTraits, isTailWhole },
      loaded.persisted,
    );
  }

  get isPrimary(): boolean {
    return this.#machine.role === 'primary';
  }
  get status(): ReplicaStatus {
    return this.#machine.status;
  }
  /** Every operation up to here is here, and nothing else. A copy that begins shows at once, its end when it is durable. */
  get isClean(): boolean {
    return this.#truth.isClean;
  }
  /** A hand-over is under way: what is proposed now is refused. */
  get isDraining(): boolean {
    return this.#machine.status.isDraining;
  }
  /** Memory shows what the machine says is applied. */
  get isSearchable(): boolean {
    return this.#applies.isIdle && this.#options.search.replica !== null && !this.#isStopped;
  }

  /** Terms of the order, while this replica leads and memory shows all of it; else null. */
  get ledHistory(): readonly HistoryEntry[] | null {
    return this.isPrimary && this.isClean && this.isSearchable ? this.#history : null;
  }

  /** @param bytes - of the frame it came in */
  receive(from: number, message: ReplicaMessage, bytes: number): void {
    if (message.kind === 'chunk') this.#traffic.noteChunk(message, bytes);
    this.step({ kind: 'receive', from: String(from), message });
  }

  /** Records as they are here, for another replica. */
  async readRecords(ids: readonly PointId[]): Promise<readonly StoredRecord<OrderedChange>[]> {
    const page = { kind: 'read_keys', ask: 0, keys: ids, budgetBytes: Infinity } as const;
    return this.isClean ? (await this.#pages.readKeys(page)).records : [];
  }

  /** @returns whether a damaged record is as it was: the index here names this version of it */
  async mendRecord(record: StoredRecord<OrderedChange>): Promise<boolean> {
    const changes = this.#isStopped ? null : this.#records.mended(record);
    if (changes === null) return false;
    await this.#persists.aside(changes);
    return true;
  }

  /** The record of the copy is damaged: it is only there for speed. @throws StorageError */
  dropCopy(): Promise<void> {
    return this.#copy.drop();
  }

  /** Of the points that are applied; see `ShardState.digest`. */
  get digest(): string | null {
    return this.#digests.total;
  }

  takeView(view: ShardView): void {
    this.step({ kind: 'view', view });
  }

  step(input: WithoutNow<HostInput>): void {
    if (this.#isStopped) return;
    this.#inputs.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        const nowMs = this.#options.context.env.now();
        for (const effect of this.#machine.step({ ...next, nowMs })) this.#perform(effect);
        if (next.kind !== 'persisted') continue;
        for (let left = this.#truth.takeDiscards(next.persist); left > 0; left -= 1)
          this.#applies.push({ kind: 'discard' });
      }
    } catch (error) {
      // What must be read to write a batch may be damaged.
      if (!(error instanceof StorageError)) throw error;
      this.#fail(error);
    } finally {
      this.#isStepping = false;
    }
  }

  /** Nothing is done any more; resolves when no write is on its way. Memory stays as it is. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#inputs = [];
    this.#applies.stop();
    this.#tombstones.stop();
    this.#copy.stop();
    return this.#persists.stop();
  }

  #perform(effect: HostEffect): void {
    const { calls, onMeta, onChange, context } = this.#options;
    if (this.#isStopped) return;
    switch (effect.kind) {
      case 'persist':
        this.#persist(effect);
        break;
      case 'apply':
      case 'install':
      case 'publish':
      case 'take_digests':
        this.#applies.push(effect);
        break;
      case 'reply':
      case 'refuse':
      case 'read_confirmed':
      case 'hand_over_ended':
      case 'fence_drained':
        calls.answer(effect);
        break;
      case 'send':
        this.#traffic.send(Number(effect.to), effect.message);
        break;
      case 'role':
        context.log.info('replica changed its role', {
          replica: this.#options.number,
          role: effect.role,
          term: effect.term,
        });
        onChange();
        break;
      case 'alter_isr':
      case 'bump_term':
      case 'propose_hand_over':
      case 'refresh_view':
      case 'confirm_with_meta':
      case 'replace_allocation':
        onMeta(effect);
        break;
      case 'read_keys':
      case 'read_by_seq':
      case 'read_range':
      case 'list_dirty':
      case 'list_bucket':
      case 'plan_repair':
        this.#answer(effect);
        break;
      case 'collect_tombstones':
        this.#tombstones.collect(effect.upToSeq);
        break;
      case 'alarm':
        context.log.error(`replication alarm: ${effect.alarm}`, {
          replica: this.#options.number,
          detail: effect.detail,
        });
        break;
      case 'removed':
        onChange();
        break;
    }
  }

  #answer(wanted: RecordsWanted): void {
    this.#traffic.read(wanted).then(
      (input) => this.step(input),
      (error: unknown) => this.#fail(error),
    );
  }

  #persist(effect: Persist): void {
    const { search, onChange } = this.#options;
    this.#history = effect.history ?? this.#history;
    const isOtherMode = this.#truth.note(effect);
    const { write } = effect;
    if (write?.kind === 'operation' && this.isPrimary)
      search.replica?.notePending(write.operation.changes, write.operation.seq);
    this.#persists.push(effect);
    if (isOtherMode) onChange();
  }

  #durable(persist: number): void {
    this.step({ kind: 'persisted', persist });
    this.#records.durableUpTo(persist);
    if (!this.#truth.durable(persist)) return;
    this.#options.context.log.info('a copy has caught up', {
      replica: this.#options.number,
      ...this.#traffic.takeCounts(),
    });
    this.#options.onChange();
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    void this.stop();
    this.#options.onFailure(error);
  }
}
