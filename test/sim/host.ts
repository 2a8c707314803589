/**
 * What a shard node does with the machine's effects, on a simulated disk and network. Always: effects are done in their
 * order; a life of the process ends with everything that was not durable; only what was published is read.
 */
import {
  bucketCount,
  correctRules,
  createReplica,
  type AllocId,
  type OperationEntry,
  type Replica,
} from '@quiver/replication';
import { Disk } from './disk.ts';
import { Generation } from './generation.ts';
import { LevelOne } from './level-one.ts';
import { commandOf, type ShardRecord } from './meta.ts';
import { BlindToSessions, type SimEffect, type SimInput } from './mutant.ts';
import { answerPage, bucketEntries, digestBuckets, planRepair } from './pages.ts';
import type { Clock } from './process.ts';
import type { ReadAnswer, World, WriteAnswer, WriteRequest } from './world.ts';
import { digestOf, writeRecords, type Change, type Record, type RecordWrite } from './point-store.ts';

type Work = Extract<
  SimEffect,
  { kind: 'apply' | 'install' | 'publish' | 'take_digests' | 'collect_tombstones' }
>;

export class Host {
  readonly alloc: AllocId;
  readonly shard: number;
  readonly nodeName: string;
  readonly disk: Disk;
  readonly machine: Replica<Change, number>;
  readonly levelOne: LevelOne;
  record: ShardRecord | null = null;
  isDead = false;
  /** Set when the machine is done with this copy. */
  ending: 'removed' | 'replace_allocation' | null = null;
  readonly #world: World;
  readonly #clock: Clock;
  readonly #onDiskFailure: () => void;
  readonly #memory: Map<number, Record>;
  #publishedSeq: number;
  readonly #generation: Generation;
  readonly #sessions = new BlindToSessions();
  #staged: RecordWrite[] = [];
  #work: Work[] = [];
  #callCount = 0;
  readonly #writes = new Map<number, { request: WriteRequest; answer: (answer: WriteAnswer) => void }>();
  readonly #reads = new Map<number, (isConfirmed: boolean) => void>();
  readonly #fences = new Map<number, { slots: readonly number[]; onDrained: () => void }>();

  constructor(
    world: World,
    place: { shard: number; nodeName: string; startId: string; disk: Disk; clock: Clock },
    onDiskFailure: () => void,
  ) {
    this.#world = world;
    this.shard = place.shard;
    this.nodeName = place.nodeName;
    this.#clock = place.clock;
    this.disk = place.disk;
    this.alloc = this.disk.alloc;
    this.#onDiskFailure = onDiskFailure;
    const { mutant, limits, slotCount } = world;
    const persisted = this.disk.content.persisted();
    this.#memory = new Map(this.disk.content.points);
    this.#publishedSeq = persisted.state.lastSeq;
    this.#generation = new Generation(persisted.state.mode !== 'clean');
    this.machine = createReplica<Change, number>(
      {
        allocId: this.alloc,
        startId: place.startId,
        traits: { bytesOf: () => 100, slotOf: (change) => change.key % slotCount },
        ...this.disk.startOptions(limits),
        rules: { ...correctRules, ...mutant?.rules },
      },
      persisted,
    );
    this.levelOne = new LevelOne(world, this);
  }

  /** On the node's own clock. */
  get nowMs(): number {
    return this.#clock.offsetMs + Math.floor(this.#world.loop.nowMs * this.#clock.rate);
  }

  step(given: SimInput): void {
    if (this.isDead || this.ending !== null) return;
    const { mutant, checks } = this.#world;
    const changed = mutant?.input === undefined ? given : mutant.input(given);
    if (changed === null) return;
    const input = mutant?.ignoresSessions === true ? this.#sessions.blind(changed) : changed;
    const isClean = input.kind === 'persisted' && this.#generation.isEndedBy(input.persist);
    for (const effect of this.machine.step(input)) {
      if (isClean && effect.kind === 'publish') this.#generation.endsWith(effect.publish);
      const done = mutant?.effect === undefined ? effect : mutant.effect(effect);
      if (done !== null) this.#perform(done);
    }
    checks.touch(this.shard);
  }

  /** Runs later in this life of the process, or never. */
  later(delayMs: number, run: () => void): void {
    const node = this.#world.nodeOf(this.nodeName)!;
    this.#world.loop.at(delayMs, () => {
      if (!this.isDead)
        node.deliver(this.shard, this.alloc, (host) => {
          if (host === this) run();
        });
    });
  }

  /** Meta's answer to a question of ours. */
  confirmed(ask: number, record: ShardRecord): void {
    if (this.record === null || record.cfgVersion > this.record.cfgVersion) this.record = record;
    this.step({ kind: 'meta_confirmed', ask, view: record, nowMs: this.nowMs });
  }

  takeRecord(record: ShardRecord): void {
    if (this.record !== null && record.cfgVersion <= this.record.cfgVersion) return;
    this.record = record;
    this.step({ kind: 'view', view: record, nowMs: this.nowMs });
  }

  write(request: WriteRequest, answer: (answer: WriteAnswer) => void): void {
    const { record } = this;
    const { slotCount } = this.#world;
    const isOwned = request.changes.every(({ key }) => record?.slots.includes(key % slotCount) === true);
    if (!isOwned) {
      answer({ kind: 'refused', reason: 'stale_route', isIndeterminate: false });
      return;
    }
    this.#propose(request, [], answer);
  }

  /** A write of the node's own, past the owner check: points of a slot that moves here. */
  import(
    request: WriteRequest & { readonly adopted: readonly OperationEntry[] },
    answer: (answer: WriteAnswer) => void,
  ): void {
    this.#propose(request, request.adopted, answer);
  }

  #propose(
    request: WriteRequest,
    adopted: readonly OperationEntry[],
    answer: (answer: WriteAnswer) => void,
  ): void {
    const { nowMs } = this;
    this.#callCount += 1;
    this.#writes.set(this.#callCount, { request, answer });
    this.step({
      kind: 'propose',
      call: this.#callCount,
      operationKey: request.operationKey,
      changes: request.changes,
      adopted,
      receipt: String(request.op),
      waitFor: request.waitFor,
      wallMs: nowMs,
      deadlineMs: nowMs + request.timeoutMs,
      nowMs,
    });
  }

  /** What memory shows of a point; undefined: of another order, or not this shard's. */
  shown(key: number): Record | null | undefined {
    const isOwned = this.record?.slots.includes(key % this.#world.slotCount) === true;
    return this.#generation.isStale || !isOwned ? undefined : (this.#memory.get(key) ?? null);
  }

  /** Linearizable read of one point: evaluated on what memory shows, and confirmed a little later. */
  read(key: number, timeoutMs: number, answer: (answer: ReadAnswer) => void): void {
    const record = this.shown(key);
    // A fenced slot may be another shard's already: this one would not know.
    const isFenced = [...this.#fences.values()].some(({ slots }) =>
      slots.includes(key % this.#world.slotCount),
    );
    if (record === undefined || isFenced) {
      answer({ kind: 'refused' });
      return;
    }
    const [seq, generation] = [this.#publishedSeq, this.#generation.number];
    const deadlineMs = this.nowMs + timeoutMs;
    const { random, mutant } = this.#world;
    const confirm = (): void => {
      const { role, term } = this.machine.status;
      const isOther = generation !== this.#generation.number && mutant?.confirmsAnyGeneration !== true;
      if (isOther || (role !== 'primary' && this.nowMs > deadlineMs)) answer({ kind: 'refused' });
      // It may be about to become the primary.
      else if (role !== 'primary') this.later(20, confirm);
      else
        this.confirm(seq, deadlineMs, (isDone) =>
          answer(isDone ? { kind: 'ok', record, term } : { kind: 'refused' }),
        );
    };
    // A slow scan, at times: long enough for the copy to follow another primary and to be the primary again.
    this.later(random.below(random.chance(0.1) ? timeoutMs : 3), confirm);
  }

  confirm(seq: number | null, deadlineMs: number, onEnd: (isConfirmed: boolean) => void): void {
    this.#callCount += 1;
    const call = this.#callCount;
    this.#reads.set(call, onEnd);
    if (this.#world.mutant?.confirmsReadsAtOnce === true) this.#perform({ kind: 'read_confirmed', call });
    else this.step({ kind: 'confirm_read', call, seq, deadlineMs, nowMs: this.nowMs });
  }

  /** @param onDrained - called when everything admitted before is committed */
  fence(fence: number, slots: readonly number[], onDrained: () => void): void {
    this.#fences.set(fence, { slots, onDrained });
    this.step({ kind: 'fence', fence, slots, nowMs: this.nowMs });
  }

  unfence(fence: number): void {
    this.#fences.delete(fence);
    this.step({ kind: 'unfence', fence, nowMs: this.nowMs });
  }

  memoryDigest(): number {
    return digestOf(this.#memory);
  }

  #perform(effect: SimEffect): void {
    const { checks, count } = this.#world;
    switch (effect.kind) {
      case 'persist':
        checks.ordered(this, effect);
        this.#generation.persisting(effect.state.mode, effect.persist);
        this.disk.pending.push(effect);
        if (this.#world.mutant?.reportsPersistedAtOnce === true)
          this.later(0, () => this.step({ kind: 'persisted', persist: effect.persist, nowMs: this.nowMs }));
        this.#flush();
        break;
      case 'apply':
      case 'install':
      case 'publish':
      case 'take_digests':
      case 'collect_tombstones':
        if (this.#work.push(effect) === 1) this.later(this.#world.random.below(3), () => this.#doWork());
        break;
      case 'reply': {
        const { request, answer } = this.#writes.get(effect.call)!;
        this.#writes.delete(effect.call);
        if (effect.isRepeated) count('operation key replayed');
        const isOwn = checks.acknowledged(this, effect.seq, request);
        const { term } = this.machine.status;
        answer({ kind: 'ok', seq: isOwn ? effect.seq : null, term });
        break;
      }
      case 'refuse':
        count(`refused ${effect.reason}`);
        this.#refused(effect.call, effect.reason, effect.isIndeterminate);
        break;
      case 'send':
        this.#send(effect.to, effect.message);
        break;
      case 'alter_isr':
      case 'bump_term':
      case 'propose_hand_over':
        if (effect.kind === 'alter_isr') checks.isrProposed(this.shard, effect.cfgVersion, effect.isr);
        if (effect.kind === 'propose_hand_over') checks.handOverProposed(this, effect.to);
        this.#world.access.tell(this, commandOf(this, effect));
        break;
      case 'refresh_view':
        this.#world.access.tell(this, null);
        break;
      case 'confirm_with_meta':
        this.#world.access.confirm(this, effect.ask);
        break;
      case 'read_confirmed': {
        const answer = this.#reads.get(effect.call)!;
        this.#reads.delete(effect.call);
        answer(true);
        break;
      }
      case 'list_dirty':
      case 'read_keys':
      case 'read_by_seq':
      case 'read_range':
        this.later(1 + this.#world.random.below(4), () =>
          this.step(answerPage(effect, this.disk.visible(this.#world.random), this.nowMs, count)),
        );
        break;
      case 'list_bucket': {
        const { ask, bucket } = effect;
        const entries = bucketEntries(this.#memory, bucket);
        this.later(1, () => this.step({ kind: 'bucket_listed', ask, entries, nowMs: this.nowMs }));
        break;
      }
      case 'plan_repair': {
        const { ask } = effect;
        const { records, absent } = planRepair(this.#memory, effect);
        this.later(1, () => this.step({ kind: 'repair_planned', ask, records, absent, nowMs: this.nowMs }));
        break;
      }
      case 'fence_drained':
        this.#fences.get(effect.fence)?.onDrained();
        break;
      case 'alarm':
        count(`alarm ${effect.alarm}`);
        checks.alarmed(this, effect.alarm, effect.detail);
        break;
      case 'role':
        count(`role ${effect.role}`);
        this.disk.noteRole(effect.role);
        break;
      case 'hand_over_ended':
        count(effect.isDone ? 'hand-over done' : 'hand-over given up');
        break;
      case 'removed':
      case 'replace_allocation':
        this.ending = effect.kind;
        break;
    }
  }

  #refused(call: number, reason: string, isIndeterminate: boolean): void {
    this.#writes.get(call)?.answer({ kind: 'refused', reason, isIndeterminate });
    this.#writes.delete(call);
    this.#reads.get(call)?.(false);
    this.#reads.delete(call);
  }

  #send(to: AllocId, message: Extract<SimEffect, { kind: 'send' }>['message']): void {
    const { network, nodeOf, access } = this.#world;
    const target = this.record?.nodes.get(to);
    if (target === undefined) return;
    const { alloc: from, shard } = this;
    const isSent = network.send(this.nodeName, target, () =>
      nodeOf(target)?.deliver(shard, to, (host) =>
        host.step({ kind: 'receive', from, message, nowMs: host.nowMs }),
      ),
    );
    if (isSent) return;
    this.later(1, () => {
      access.noteBroken(this.nodeName, target);
      this.step({ kind: 'disconnected', from: to, nowMs: this.nowMs });
    });
  }

  #flush(): void {
    const { random, loop, disk: faults, mutant } = this.#world;
    if (!this.disk.begin()) return;
    const delayMs = 1 + random.below(random.chance(faults.slow) ? 150 : 6);
    loop.at(delayMs, () => {
      if (this.isDead) return;
      if (!this.#world.network.isCalm && random.chance(faults.failure)) {
        // The first failed write ends the process: what would follow could be lost behind a good return code.
        this.#world.count('failed write');
        this.#onDiskFailure();
        return;
      }
      const persist = this.disk.finish();
      this.#world.checks.stored(this);
      if (mutant?.reportsPersistedAtOnce !== true)
        this.later(0, () => this.step({ kind: 'persisted', persist, nowMs: this.nowMs }));
      this.#flush();
    });
  }

  #doWork(): void {
    for (const work of this.#work.splice(0)) {
      if (work.kind === 'apply') this.#staged.push({ kind: 'operation', operation: work.operation });
      else if (work.kind === 'install') this.#staged.push(work.write);
      else if (work.kind === 'publish') this.#publish(work.publish, work.seq);
      else if (work.kind === 'collect_tombstones') {
        if (this.disk.collectTombstones(work.upToSeq) > 0) this.#world.count('tombstones collected');
        for (const [key, record] of this.#memory)
          if (record.change.value === null && record.seq <= work.upToSeq) this.#memory.delete(key);
      } else {
        const { ask } = work;
        const buckets = digestBuckets(this.#memory, bucketCount);
        const { random } = this.#world;
        // Late enough, at times, to come in another session.
        const delayMs = !this.#world.network.isCalm && random.chance(0.15) ? random.below(500) : 1;
        this.later(delayMs, () => this.step({ kind: 'digests_taken', ask, buckets, nowMs: this.nowMs }));
      }
    }
  }

  #publish(publish: number, seq: number): void {
    for (const write of this.#staged.splice(0)) writeRecords(this.#memory, write);
    this.#publishedSeq = seq;
    this.#generation.published(publish);
    this.step({ kind: 'applied', publish, nowMs: this.nowMs });
  }

  /** A flipped bit behind everybody's back. */
  corrupt(key: number): boolean {
    const record = this.#memory.get(key);
    if (record?.change.value === undefined || record.change.value === null) return false;
    const change = { ...record.change, value: record.change.value + 1_000_000 };
    this.#memory.set(key, { ...record, change });
    this.disk.content.points.set(key, { ...record, change });
    return true;
  }
}
