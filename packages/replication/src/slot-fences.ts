/** Slots that are about to move to another shard. Always: a fenced slot admits nothing; a fence is drained once all that was admitted before is committed. */
import type { ReplicaCore } from './core.ts';

interface Fence {
  readonly slots: ReadonlySet<number>;
  readonly seq: number;
  isDrained: boolean;
}

export class SlotFences<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  readonly #fences = new Map<number, Fence>();

  constructor(core: ReplicaCore<Change, Key>) {
    this.#core = core;
  }

  raise(fence: number, slots: readonly number[]): void {
    if (!this.#fences.has(fence))
      this.#fences.set(fence, { slots: new Set(slots), seq: this.#core.state.lastSeq, isDrained: false });
    this.drain();
  }

  lower(fence: number): void {
    this.#fences.delete(fence);
  }

  /** @returns a fenced slot that the changes touch, or null */
  hit(changes: readonly Change[]): number | null {
    if (this.#fences.size === 0) return null;
    const { traits } = this.#core.config;
    for (const change of changes) {
      const slot = traits.slotOf(change);
      for (const { slots } of this.#fences.values()) if (slots.has(slot)) return slot;
    }
    return null;
  }

  drain(): void {
    for (const [fence, state] of this.#fences) {
      if (state.isDrained || this.#core.committedSeq < state.seq) continue;
      state.isDrained = true;
      this.#core.emit({ kind: 'fence_drained', fence, seq: state.seq });
    }
  }
}
