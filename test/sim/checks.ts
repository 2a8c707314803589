/**
 * What must hold, looked at after every event that could break it. Always: a breach throws `Violation` with the numbers.
 * - one operation for each (shard, term, seq), and one content after it, on whichever clean copy;
 * - no operation of a client is ordered twice in one history, and none while its record stands;
 * - every acknowledged change is on the disk of every member of meta's in-sync set, or something later is;
 * - the effective in-sync set of the primary of meta's term holds all of meta's; the primary is in it;
 * - a planned move of the primary undoes nothing;
 * - the in-sync set loses a member only by its primary, by a promotion or by a removal.
 */
import { termAt } from './lineage.ts';
import type { Host } from './host.ts';
import type { WriteRequest } from './world.ts';
import type { Meta, MetaCommand, ShardRecord } from './meta.ts';
import { digestOf, type Persist } from './point-store.ts';
import type { AllocId, Effect, Operation } from '@quiver/replication';
import type { Change } from './point-store.ts';
import type { Content } from './point-store.ts';

export class Violation extends Error {}

type Alarm = Extract<Effect<Change, number>, { kind: 'alarm' }>['alarm'];

/** The newest acknowledged change of a point. */
export interface Acked {
  readonly seq: number;
  readonly op: number;
  readonly isDeleted: boolean;
}

export interface Copies {
  hosts(shard: number): Iterable<Host>;
  /** The disk of a copy, up or down; undefined when it is lost. */
  contentOf(shard: number, alloc: AllocId): Content | undefined;
}

export class Checks {
  readonly acked: Map<number, Acked>[];
  /** Term of the last forced promotion of each shard: what was acknowledged in older terms was given up on purpose. */
  readonly epochs: number[];
  ackedCount = 0;
  /** The copy in which a test has flipped a bit: contents are not compared any more. */
  flipped: AllocId | null = null;
  readonly #copies: Copies;
  readonly #meta: () => Meta;
  readonly #operations = new Map<string, Operation<Change>>();
  readonly #executions = new Map<string, { term: number; seq: number }[]>();
  readonly #contents = new Map<string, number>();
  /** Seqs of the deletions of each point. */
  readonly #deletions = new Map<string, number[]>();
  readonly #touched = new Set<number>();

  constructor(shardCount: number, copies: Copies, meta: () => Meta) {
    this.acked = Array.from({ length: shardCount }, () => new Map<number, Acked>());
    this.epochs = Array.from({ length: shardCount }, () => 0);
    this.#copies = copies;
    this.#meta = meta;
  }

  touch(shard: number): void {
    this.#touched.add(shard);
  }

  ordered(host: Host, persist: Persist): void {
    if (persist.write?.kind !== 'operation') return;
    const { operation } = persist.write;
    const { term, seq } = operation;
    const place = `${host.shard}/${term}/${seq}`;
    const known = this.#operations.get(place);
    if (known === undefined) {
      this.#operations.set(place, operation);
      for (const { key, value } of operation.changes) {
        const deleted = `${host.shard}/${key}`;
        if (value === null) this.#deletions.set(deleted, [...(this.#deletions.get(deleted) ?? []), seq]);
      }
    } else if (known.changes !== operation.changes)
      throw new Violation(`two operations at shard/term/seq ${place}`);
    if (host.machine.status.role === 'primary') this.#executed(host, operation);
  }

  #executed(host: Host, { term, seq, changes, operationKey }: Operation<Change>): void {
    const op = changes[0]?.op;
    if (op === undefined || operationKey?.startsWith('move') === true) return;
    const key = `${host.shard}/${op}`;
    const earlier = this.#executions.get(key) ?? [];
    // A copy's history on disk may be behind that in its memory by the term that begins: good enough here.
    const { history } = host.disk.content;
    for (const execution of earlier)
      if (execution.seq < seq && termAt(history, execution.seq) === execution.term)
        throw new Violation(`operation ${op} ordered at ${execution.seq} and again at ${seq} (term ${term})`);
    for (const change of changes)
      if (host.disk.content.points.get(change.key)?.change.op === op)
        throw new Violation(
          `operation ${op} ordered at ${seq} while its record of point ${change.key} stands`,
        );
    this.#executions.set(key, [...earlier, { term, seq }]);
  }

  /** @returns whether the operation was ordered at `seq` in this shard */
  acknowledged(host: Host, seq: number, request: WriteRequest): boolean {
    // Done before it came here with its slot: its records may be older than this shard's seq says.
    if (host.machine.status.term < this.epochs[host.shard]!) return false;
    const isOwn = this.#executions.get(`${host.shard}/${request.op}`)?.some((place) => place.seq === seq);
    if (isOwn !== true) return false;
    const acked = this.acked[host.shard]!;
    this.ackedCount += 1;
    for (const { key, op, value } of request.changes) {
      const known = acked.get(key);
      if (known !== undefined && known.seq === seq && known.op !== op)
        throw new Violation(`operations ${known.op} and ${op} both acknowledged at seq ${seq}`);
      if (known === undefined || known.seq < seq) acked.set(key, { seq, op, isDeleted: value === null });
    }
    this.touch(host.shard);
    return true;
  }

  get checksContent(): boolean {
    return this.flipped === null;
  }

  /** A group of writes is on the disk. */
  stored(host: Host): void {
    this.touch(host.shard);
    const { state, history, points } = host.disk.content;
    if (!this.checksContent || state.mode !== 'clean' || state.lastSeq === 0) return;
    const place = `${host.shard}/${termAt(history, state.lastSeq)}/${state.lastSeq}`;
    const digest = digestOf(points);
    const known = this.#contents.get(place);
    if (known === undefined) this.#contents.set(place, digest);
    else if (known !== digest)
      throw new Violation(`${host.alloc} differs from another copy at shard/term/seq ${place}`);
  }

  /** In-sync sets on their way to meta. */
  readonly #proposals: { shard: number; cfgVersion: number; isr: readonly AllocId[] }[] = [];

  isrProposed(shard: number, cfgVersion: number, isr: readonly AllocId[]): void {
    this.#proposals.push({ shard, cfgVersion, isr });
  }

  /** Whether every set that meta may still take holds the copy: those made on an older record it refuses. */
  staysInSync(shard: number, alloc: AllocId): boolean {
    const { cfgVersion } = this.#meta().read(shard);
    return this.#proposals.every(
      (proposal) =>
        proposal.shard !== shard || proposal.cfgVersion < cfgVersion || proposal.isr.includes(alloc),
    );
  }

  /** What would wake an operator must have a reason. */
  alarmed(host: Host, alarm: Alarm, detail: string): void {
    const isExpected =
      alarm === 'unclean_promotion' ||
      (alarm === 'lost_data' && host.disk.isShort) ||
      (alarm === 'digest_mismatch' && !this.checksContent);
    if (alarm === 'majority_disagrees' && host.alloc === this.flipped) {
      // It became the primary before it was repaired: the operator has another lead, which repairs it.
      const to = this.#meta()
        .read(host.shard)
        .isr.find((alloc) => alloc !== host.alloc);
      host.later(1, () => {
        const { nowMs } = host;
        if (to !== undefined) host.step({ kind: 'hand_over', to, deadlineMs: nowMs + 300, nowMs });
      });
      return;
    }
    if (!isExpected) throw new Violation(`${host.alloc} alarms without a reason: ${alarm}, ${detail}`);
  }

  handOverProposed(host: Host, to: AllocId): void {
    const { isShort, content } = host.disk;
    // One that lost what it had, or is in the middle of a catch-up itself, gives way to any that has more.
    if (isShort || content.state.mode !== 'clean') return;
    const theirs = this.#copies.contentOf(host.shard, to);
    // It follows or leads a newer term already: meta will refuse.
    if (theirs === undefined || theirs.state.term > host.machine.status.term) return;
    // In the middle of a catch-up it has all up to there too. One where a newer term began has all that was acknowledged
    // before, whatever its seq.
    const [mine, other] = [endOf(content), endOf(theirs)];
    if (other.term < mine.term || (other.term === mine.term && other.seq < mine.seq))
      throw new Violation(
        `hand-over at term ${mine.term}, seq ${mine.seq} to ${to}, which is at ${other.term}, ${other.seq}`,
      );
  }

  metaChanged(before: ShardRecord, after: ShardRecord, command: MetaCommand): void {
    this.touch(after.shard);
    for (const { levelOne } of this.#copies.hosts(after.shard)) levelOne.metaChanged(after);
    const { primary, isr, replicas } = after;
    if (primary !== null && !isr.includes(primary)) throw new Violation(`primary ${primary} is not in sync`);
    if (!isr.every((alloc) => replicas.includes(alloc))) throw new Violation('in sync and not placed');
    const lost = before.isr.filter((alloc) => !isr.includes(alloc));
    const mayLose = ['alter_isr', 'promote', 'remove_replica'].includes(command.kind);
    if (lost.length > 0 && !mayLose)
      throw new Violation(`${lost.join()} left the in-sync set by ${command.kind}`);
    if (command.kind !== 'promote' || !command.isForced) return;
    this.acked[after.shard]!.clear();
    this.epochs[after.shard] = after.term;
  }

  /** After every event. */
  verify(): void {
    for (const shard of this.#touched) this.#verifyShard(shard);
    this.#touched.clear();
  }

  #verifyShard(shard: number): void {
    const { isr, primary, term } = this.#meta().read(shard);
    for (const alloc of isr) {
      const content = this.#copies.contentOf(shard, alloc);
      if (content === undefined) continue;
      this.assertHolds(shard, alloc, content);
    }
    for (const { alloc, machine, ending } of this.#copies.hosts(shard)) {
      if (alloc !== primary || ending !== null) continue;
      const { role, effectiveIsr, term: ownTerm } = machine.status;
      if (role !== 'primary' || ownTerm !== term) continue;
      const missing = isr.find((member) => !effectiveIsr.includes(member));
      if (missing !== undefined)
        throw new Violation(`${missing} is in sync and its primary does not count it`);
    }
  }

  /** Slots moved: what the source holds there, the target holds. */
  slotsMoved(from: Host, to: number, isMoved: (key: number) => boolean): void {
    const [source, target] = [this.acked[from.shard]!, this.acked[to]!];
    for (const key of [...source.keys()].filter(isMoved)) source.delete(key);
    for (const alloc of this.#meta().read(to).isr) {
      const content = this.#copies.contentOf(to, alloc);
      if (content === undefined) continue;
      for (const [key, { change }] of from.disk.content.points) {
        if (!isMoved(key)) continue;
        const record = content.points.get(key);
        if (change.value === null ? (record?.change.value ?? null) !== null : record?.change.op !== change.op)
          throw new Violation(`operation ${change.op} on point ${key} did not move with its slot`);
        if (record !== undefined)
          target.set(key, { seq: record.seq, op: record.change.op, isDeleted: record.change.value === null });
      }
    }
  }

  /** Every acknowledged change is in the copy, or something later is. */
  assertHolds(shard: number, alloc: AllocId, { points, state }: Content): void {
    for (const [key, { seq, op, isDeleted }] of this.acked[shard]!) {
      const record = points.get(key);
      if (record === undefined) {
        // Deleted since, by an operation that was not acknowledged perhaps, and its tombstone is collected.
        const isCollected = this.#deletions
          .get(`${shard}/${key}`)
          ?.some((deletion) => deletion > seq && deletion <= state.tombstoneHorizon);
        if (!isDeleted && isCollected !== true)
          throw new Violation(`${alloc} lost point ${key} of acknowledged seq ${seq}`);
      } else if (record.seq < seq)
        throw new Violation(`${alloc} holds point ${key} at seq ${record.seq}, acknowledged was ${seq}`);
      else if (record.seq === seq && record.change.op !== op)
        throw new Violation(
          `${alloc} holds operation ${record.change.op} at acknowledged seq ${seq} of ${op}`,
        );
    }
  }
}

/** The newest term that began on a disk, and the newest operation of which it has all before. */
function endOf({ state, history }: Content): { readonly term: number; readonly seq: number } {
  const { mode, lastSeq, cleanSeq } = state;
  if (mode === 'clean') return { term: history.at(-1)?.term ?? 0, seq: lastSeq };
  return { term: termAt(history, cleanSeq), seq: cleanSeq };
}
