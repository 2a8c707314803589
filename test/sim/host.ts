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
import { confirmWithMeta, tellMeta } from './meta-link.ts';
import type { ShardRecord } from './meta.ts';
import type { SimEffect, SimInput } from './mutant.ts';
import { answerPage, bucketEntries, digestBuckets, planRepair } from './pages.ts';
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
  record: ShardRecord | null = null;
  isDead = false;
  /** Set when the machine is done with this copy. */
  ending: 'removed' | 'replace_allocation' | null = null;
  readonly #world: World;
  readonly #onDiskFailure: () => void;
  readonly #memory: Map<number, Record>;
  #publishedSeq: number;
  #staged: RecordWrite[] = [];
  #work: Work[] = [];
  #callCount = 0;
  readonly #writes = new Map<number, { request: WriteRequest; answer: (answer: WriteAnswer) => void }>();
  readonly #reads = new Map<number, (isConfirmed: boolean) => void>();
  readonly #fences = new Map<number, { slots: readonly number[]; onDrained: () => void }>();

  constructor(
    world: World,
    place: { shard: number; nodeName: string; startId: string; disk: Disk },
    onDiskFailure: () => void,
  ) {
    this.#world = world;
    this.shard = place.shard;
    this.nodeName = place.nodeName;
    this.disk = place.disk;
    this.alloc = place.disk.alloc;
    this.#onDiskFailure = onDiskFailure;
    const { mutant, limits, slotCount } = world;
    const persisted = this.disk.content.persisted();
    this.#memory = new Map(this.disk.content.points);
    this.#publishedSeq = persisted.state.lastSeq;
    this.machine = createReplica<Change, number>(
      {
        allocId: this.alloc,
        startId: place.startId,
        traits: { bytesOf: () => 100, slotOf: (change) => change.key % slotCount },
        limits,
        rules: { ...correctRules, ...mutant?.rules },
      },
      persisted,
    );
  }

  get nowMs(): number {
    return this.#world.loop.nowMs;
  }

  step(given: SimInput): void {
    if (this.isDead || this.ending !== null) return;
    const { mutant, checks } = this.#world;
    const changed = mutant?.input === undefined ? given : mutant.input(given);
    if (changed === null) return;
    const input = mutant?.ignoresSessions === true ? this.#intoSession(changed) : changed;
    for (const effect of this.machine.step(input)) {
      const done = mutant?.effect === undefined ? effect : mutant.effect(effect);
      if (done !== null) this.#perform(done);
    }
    checks.touch(this.shard);
  }

  /** For a mutant: whatever session a message belongs to, it is taken for the present one. */
  #nonce = '';
  #intoSession(input: SimInput): SimInput {
    if (input.kind !== 'receive') return input;
    const { message } = input;
    if (message.kind === 'plan') this.#nonce = message.nonce;
    if (message.kind !== 'chunk' || this.#nonce === '') return input;
    return { ...input, message: { ...message, nonce: this.#nonce } };
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
    const { loop } = this.#world;
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
      wallMs: loop.nowMs,
      deadlineMs: loop.nowMs + request.timeoutMs,
      nowMs: loop.nowMs,
    });
  }

  /** Linearizable read of one point. */
  read(key: number, timeoutMs: number, answer: (answer: ReadAnswer) => void): void {
    const isOwned = this.record?.slots.includes(key % this.#world.slotCount) === true;
    // A fenced slot may be another shard's already: this one would not know.
    const isFenced = [...this.#fences.values()].some(({ slots }) =>
      slots.includes(key % this.#world.slotCount),
    );
    if (this.machine.status.role !== 'primary' || !isOwned || isFenced) {
      answer({ kind: 'refused' });
      return;
    }
    const record = this.#memory.get(key) ?? null;
    const { term } = this.machine.status;
    this.#callCount += 1;
    this.#reads.set(this.#callCount, (isConfirmed) =>
      answer(isConfirmed ? { kind: 'ok', record, term } : { kind: 'refused' }),
    );
    const { nowMs } = this;
    const [call, seq] = [this.#callCount, this.#publishedSeq];
    if (this.#world.mutant?.confirmsReadsAtOnce === true) this.#perform({ kind: 'read_confirmed', call });
    else this.step({ kind: 'confirm_read', call, seq, deadlineMs: nowMs + timeoutMs, nowMs });
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
      case 'alter_isr': {
        const { shard, alloc: by } = this;
        const { term, cfgVersion, isr } = effect;
        checks.isrProposed(shard, this.nowMs, isr);
        tellMeta(this.#world, this, { kind: 'alter_isr', shard, by, term, cfgVersion, isr });
        break;
      }
      case 'bump_term':
        tellMeta(this.#world, this, {
          kind: 'bump_term',
          shard: this.shard,
          by: this.alloc,
          term: effect.term,
        });
        break;
      case 'propose_hand_over':
        checks.handOverProposed(this, effect.to);
        tellMeta(this.#world, this, {
          kind: 'hand_over',
          shard: this.shard,
          by: this.alloc,
          term: effect.term,
          to: effect.to,
        });
        break;
      case 'refresh_view':
        tellMeta(this.#world, this, null);
        break;
      case 'confirm_with_meta':
        confirmWithMeta(this.#world, this, effect.ask);
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
      case 'role':
        count(`role ${effect.role}`);
        break;
      case 'alarm':
        count(`alarm ${effect.alarm}`);
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
    const write = this.#writes.get(call);
    this.#writes.delete(call);
    write?.answer({ kind: 'refused', reason, isIndeterminate });
    this.#reads.get(call)?.(false);
    this.#reads.delete(call);
  }

  #send(to: AllocId, message: Extract<SimEffect, { kind: 'send' }>['message']): void {
    const { network, loop, nodeOf } = this.#world;
    const target = this.record?.nodes.get(to);
    if (target === undefined) return;
    const { alloc: from, shard } = this;
    const isSent = network.send(this.nodeName, target, () =>
      nodeOf(target)?.deliver(shard, to, (host) =>
        host.step({ kind: 'receive', from, message, nowMs: loop.nowMs }),
      ),
    );
    if (!isSent) this.later(1, () => this.step({ kind: 'disconnected', from: to, nowMs: this.nowMs }));
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
        this.later(1, () => this.step({ kind: 'digests_taken', ask, buckets, nowMs: this.nowMs }));
      }
    }
  }

  #publish(publish: number, seq: number): void {
    for (const write of this.#staged.splice(0)) writeRecords(this.#memory, write);
    this.#publishedSeq = seq;
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
