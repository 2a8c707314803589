/**
 * A disk under one copy. Always: writes become durable in order; a crash keeps the durable ones and perhaps a part of those
 * under way; a damaged disk (a lost tail, a hole) is found at the next start and gets a new allocation.
 */
import type { AllocId } from '@quiver/replication';
import type { Random } from './event-loop.ts';
import { Content, type Persist } from './point-store.ts';

export class Disk {
  readonly alloc: AllocId;
  content = new Content();
  pending: Persist[] = [];
  isDamaged = false;
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
    for (const persist of this.#underWay) this.content.write(persist);
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
    const kept = random.below(this.#underWay.length + 1);
    for (const persist of this.#underWay.slice(0, kept)) this.content.write(persist);
    this.#underWay = [];
    this.pending = [];
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
