/**
 * What all roles of a replica share: its durable state, the queue of writes that are on their way to the disk, and the
 * effects of the current step. Always: writes become durable in the order they were given out; an operation's apply and
 * publish are emitted once, in order, after it is durable and whatever the role is by then; `state` is as of the newest
 * write given out, `durableSeq` and `durableTail` as of the newest one done.
 */
import { assert } from '@quiver/model';
import type { Alarm, Effect, RecordWrite, RefuseReason, Role } from './effect.ts';
import type { Input } from './input.ts';
import { defaultLimits, type Limits } from './limits.ts';
import type { Message } from './message.ts';
import { entriesOf, OperationTable } from './operation-table.ts';
import type { ReplicaConfig } from './replica.ts';
import { correctRules, type ReplicationRules } from './rules.ts';
import { tailOf, type TailPosition } from './tail-position.ts';
import type {
  AllocId,
  HistoryEntry,
  Operation,
  OperationEntry,
  PersistedReplica,
  ReplicaState,
  ShardView,
} from './state.ts';

/** What the host is asked for, and the kind of input that answers it. */
const answerKinds = {
  list_dirty: 'dirty_listed',
  read_keys: 'page',
  read_by_seq: 'page',
  read_range: 'page',
  take_digests: 'digests_taken',
  list_bucket: 'bucket_listed',
  plan_repair: 'repair_planned',
  confirm_with_meta: 'meta_confirmed',
} as const;
type AskKind = keyof typeof answerKinds;
type Ask<Change, Key, Kind> = Omit<Extract<Effect<Change, Key>, { kind: Kind }>, 'ask'> & { kind: Kind };
type AnswerTo<Change, Key, Kind extends AskKind> = Extract<
  Input<Change, Key>,
  { kind: (typeof answerKinds)[Kind] }
>;

export interface Write<Change, Key> {
  readonly write?: RecordWrite<Change, Key>;
  readonly state: Partial<ReplicaState<Key>>;
  readonly history?: readonly HistoryEntry[];
  readonly entries?: readonly OperationEntry[];
  readonly forgotten?: readonly string[];
}

export class ReplicaCore<Change, Key> {
  readonly allocId: AllocId;
  readonly startId: string;
  readonly config: ReplicaConfig<Change>;
  readonly limits: Limits;
  readonly rules: ReplicationRules;
  readonly operations: OperationTable;
  state: ReplicaState<Key>;
  history: readonly HistoryEntry[];
  view: ShardView | null = null;
  role: Role = 'idle';
  /** Nothing that this disk had confirmed is missing, as far as others in sync can tell. */
  isTailWhole: boolean;
  nowMs = 0;
  durableSeq: number;
  durableTail: TailPosition;
  appliedSeq = 0;
  committedSeq: number;
  #effects: Effect<Change, Key>[] = [];
  #persistCount = 0;
  #writes: { persist: number; tail: TailPosition; onDurable: () => void }[] = [];
  #askCount = 0;
  #asks = new Map<number, (answer: AnswerTo<Change, Key, AskKind>) => void>();
  /** Published and not yet confirmed as applied. What was published before a fork counts no more. */
  #publishes: { publish: number; seq: number; generation: number }[] = [];
  #publishCount = 0;
  #generation = 0;

  constructor(config: ReplicaConfig<Change>, persisted: PersistedReplica<Key>) {
    this.config = config;
    this.allocId = config.allocId;
    this.startId = config.startId;
    this.limits = { ...defaultLimits, ...config.limits };
    this.rules = config.rules ?? correctRules;
    this.state = persisted.state;
    this.history = persisted.history;
    const { operationEntriesMax: entries, operationAgeMs: ageMs } = this.limits;
    this.operations = new OperationTable(persisted.operations, { entries, ageMs });
    this.isTailWhole = config.isTailWhole === true;
    this.durableSeq = this.state.lastSeq;
    this.durableTail = tailOf(this.state, this.history);
    this.committedSeq = Math.min(this.state.committedSeq, this.state.lastSeq);
    // The host shows what it recovered before it starts the machine.
    if (this.state.mode === 'clean') this.appliedSeq = this.state.lastSeq;
  }

  /** The newest term heard of. */
  get knownTerm(): number {
    return Math.max(this.state.term, this.view?.term ?? 0);
  }

  emit(effect: Effect<Change, Key>): void {
    this.#effects.push(effect);
  }

  takeEffects(): Effect<Change, Key>[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  send(to: AllocId, message: Message<Change, Key>): void {
    this.emit({ kind: 'send', to, message });
  }

  refuse(call: number, reason: RefuseReason, isIndeterminate: boolean, detail: string): void {
    this.emit({ kind: 'refuse', call, reason, isIndeterminate, detail });
  }

  alarm(alarm: Alarm, detail: string): void {
    this.emit({ kind: 'alarm', alarm, detail });
  }

  setRole(role: Role): void {
    if (this.role === role) return;
    this.role = role;
    this.emit({ kind: 'role', role, term: this.state.term });
  }

  persist(given: Write<Change, Key>, onDurable: () => void): void {
    this.state = { ...this.state, ...given.state };
    if (given.history !== undefined) this.history = given.history;
    this.#persistCount += 1;
    const tail = tailOf(this.state, this.history);
    this.#writes.push({ persist: this.#persistCount, tail, onDurable });
    this.emit({
      kind: 'persist',
      persist: this.#persistCount,
      write: given.write ?? null,
      state: this.state,
      history: given.history ?? null,
      entries: given.entries ?? [],
      forgotten: given.forgotten ?? [],
    });
  }

  /** The next operation of the order, on whichever side of the stream. */
  persistOperation(operation: Operation<Change>, onDurable: () => void): void {
    const { seq, term } = operation;
    assert(seq === this.state.lastSeq + 1, `operation ${seq} follows ${this.state.lastSeq}`);
    assert(term === this.state.term, `operation of term ${term} in term ${this.state.term}`);
    assert(this.state.mode === 'clean', `operation ${seq} in the middle of a catch-up`);
    const entries = entriesOf(operation);
    const forgotten = entries.length === 0 ? [] : this.operations.add(entries);
    const committedSeq = this.committedSeq;
    const state = { lastSeq: seq, cleanSeq: seq, copiedSeq: seq, sourceSeq: seq, committedSeq };
    this.persist({ write: { kind: 'operation', operation }, state, entries, forgotten }, () => {
      this.durableSeq = seq;
      this.emit({ kind: 'apply', operation });
      this.publish(seq);
      onDurable();
    });
  }

  persisted(persist: number): void {
    assert(
      persist <= this.#persistCount,
      `write ${persist} is durable, ${this.#persistCount} were given out`,
    );
    let count = 0;
    while (count < this.#writes.length && this.#writes[count]!.persist <= persist) count += 1;
    for (const { tail, onDurable } of this.#writes.splice(0, count)) {
      this.durableTail = tail;
      onDurable();
    }
  }

  publish(seq: number): void {
    this.#publishCount += 1;
    this.#publishes.push({ publish: this.#publishCount, seq, generation: this.#generation });
    this.emit({ kind: 'publish', publish: this.#publishCount, seq });
  }

  /** What was applied before does not tell any more what is applied: the order above a fork is another. */
  beginGeneration(): void {
    this.#generation += 1;
    this.appliedSeq = 0;
  }

  applied(publish: number): void {
    assert(publish <= this.#publishCount, `publish ${publish} is done, ${this.#publishCount} were given out`);
    let count = 0;
    while (count < this.#publishes.length && this.#publishes[count]!.publish <= publish) count += 1;
    for (const { seq, generation } of this.#publishes.splice(0, count))
      if (generation === this.#generation) this.appliedSeq = seq;
  }

  /** Asks the host under a number of its own; `onAnswer` unless the asks are forgotten before. */
  ask<Kind extends AskKind>(
    effect: Ask<Change, Key, Kind>,
    onAnswer: (answer: AnswerTo<Change, Key, Kind>) => void,
  ): void {
    this.#askCount += 1;
    const expected = answerKinds[effect.kind];
    this.#asks.set(this.#askCount, (answer) => {
      assert(answer.kind === expected, `${effect.kind} is answered by ${answer.kind}`);
      onAnswer(answer as AnswerTo<Change, Key, Kind>);
    });
    this.emit({ ...effect, ask: this.#askCount } as unknown as Effect<Change, Key>);
  }

  answered(answer: AnswerTo<Change, Key, AskKind>): void {
    const onAnswer = this.#asks.get(answer.ask);
    this.#asks.delete(answer.ask);
    onAnswer?.(answer);
  }

  /** The role or the session is another: answers to what it asked mean nothing in this one. */
  forgetAsks(): void {
    this.#asks.clear();
  }

  /** Tombstones up to `seq` may go, here. */
  raiseTombstoneHorizon(seq: number): void {
    if (seq <= this.state.tombstoneHorizon) return;
    this.persist({ state: { tombstoneHorizon: seq } }, () =>
      this.emit({ kind: 'collect_tombstones', upToSeq: seq }),
    );
  }
}
