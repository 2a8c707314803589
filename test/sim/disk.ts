/**
 * A disk under one copy. Always: writes become durable in order; a crash keeps the durable ones and perhaps a part of those
 * under way; a damaged disk (a lost tail, a hole) is found at the next start and gets a new allocation, but for a tail of the
 * last moments, which leaves no trace.
 */
import type { AllocId, Limits, Role } from '@quiver/replication';
import type { Random } from './event-loop.ts';
import { Content, type Persist } from './point-store.ts';

/** Writes that a disk may lose without a trace. */
const recentMax = 12;

export class Disk {
  readonly alloc: AllocId;
  content = new Content();
  pending: Persist[] = [];
  isDamaged = false;
  /** Its first life: it cannot have lost anything. */
  isNew = true;
  /** The last moments are lost, and not brought back from another copy since. */
  isShort = false;
  /** What came last, oldest first, and what was there before it. */
  #recent: Persist[] = [];
  #beforeRecent = new Content();
  #underWay: Persist[] = [];
  /** The writes under way were seen by a reader. */
  #isShown = false;
  #collectUpTo = 0;

  constructor(alloc: AllocId) {
    this.alloc = alloc;
  }

  /** @returns whether a group of writes has begun */
  begin(): boolean {
    if (this.#underWay.length > 0 || this.pending.length === 0) return false;
    this.#underWay = this.pending;
    this.pending = [];
    this.#isShown = false;
    return true;
  }

  /** @returns the newest write that is durable now */
  finish(): number {
    for (const persist of this.#underWay) this.#write(persist);
    const newest = this.#underWay.at(-1)!.persist;
    this.#underWay = [];
    return newest;
  }

  /** What a reader may see: the durable content, or also what is written and not yet synced; never less than before. */
  visible(random: Random): Content {
    if (this.#underWay.length === 0 || (!this.#isShown && random.chance(0.6))) return this.content;
    this.#isShown = true;
    const content = this.content.copy();
    for (const persist of this.#underWay) content.write(persist);
    return content;
  }

  crash(random: Random): void {
    this.isNew = false;
    const kept = random.below(this.#underWay.length + 1);
    for (const persist of this.#underWay.slice(0, kept)) this.#write(persist);
    this.#underWay = [];
    this.pending = [];
  }

  #write(persist: Persist): void {
    this.content.write(persist);
    this.#recent.push(persist);
    if (this.#recent.length <= 2 * recentMax) return;
    for (const old of this.#recent.splice(0, recentMax)) this.#beforeRecent.write(old);
  }

  /** While others may have what is lost here, the machine of this life waits for them. */
  startOptions(given: Partial<Limits>): { isTailWhole: boolean; limits: Partial<Limits> } {
    const limits = this.isShort ? { ...given, tailWaitMs: Infinity } : given;
    return { isTailWhole: this.isNew, limits };
  }

  /** A copy that leads or follows has what the others have, or claims to. */
  noteRole(role: Role): void {
    if (role === 'primary' || role === 'follower') this.isShort = false;
  }

  /** REQUIRES: the process is down. @returns whether there was anything to lose */
  loseTail(random: Random): boolean {
    const lost = Math.min(this.#recent.length, 1 + random.below(recentMax));
    this.#recent.splice(this.#recent.length - lost);
    this.content = this.#beforeRecent.copy();
    for (const persist of this.#recent) this.content.write(persist);
    // Tombstones go after the write that says so: what is lost of these came later, and is there again.
    this.#collectUpTo = Math.min(this.#collectUpTo, this.content.state.tombstoneHorizon);
    this.isShort ||= lost > 0;
    return lost > 0;
  }

  /** What a damaged disk would come back with. */
  #older = new Content();
  remember(): void {
    this.#older = this.content.copy();
  }

  damage(): void {
    this.isDamaged = true;
    this.content = this.#older;
  }

  collectTombstones(upToSeq: number): number {
    this.#collectUpTo = Math.max(this.#collectUpTo, upToSeq);
    return this.content.collectTombstones(this.#collectUpTo);
  }
}
