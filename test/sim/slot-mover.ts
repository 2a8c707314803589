/**
 * Moves a slot to another shard while it is written to: copies its points, fences it, copies what changed since, moves it
 * in meta, all by ordinary operations of the target. Always: the fence stays up when the move succeeded; a move that fails
 * takes it down and begins anew.
 */
import type { Host } from './host.ts';
import type { World } from './world.ts';
import type { SimMeta } from './meta.ts';
import type { Node } from './node.ts';
import type { Record } from './point-store.ts';

const patienceMs = 400;
const [source, target, slot] = [0, 1, 0];

export class SlotMover {
  readonly #world: World;
  readonly #meta: SimMeta;
  readonly #nodes: ReadonlyMap<string, Node>;
  #isBusy = false;
  #count = 0;

  constructor(world: World, meta: SimMeta, nodes: ReadonlyMap<string, Node>) {
    this.#world = world;
    this.#meta = meta;
    this.#nodes = nodes;
  }

  poke(): void {
    if (this.#isBusy || !this.#meta.read(source).slots.includes(slot)) return;
    const [from, to] = [this.#primaryOf(source), this.#primaryOf(target)];
    if (from === null || to === null) return;
    this.#isBusy = true;
    this.#count += 1;
    const move = this.#count;
    const { loop, mutant } = this.#world;
    const { term } = this.#meta.read(source);
    const { term: targetTerm } = this.#meta.read(target);
    let isOver = false;
    const giveUp = (): void => {
      if (isOver) return;
      isOver = true;
      this.#isBusy = false;
      from.unfence(move);
    };
    loop.at(patienceMs, giveUp);
    const first = this.#points(from);
    const seen = new Map(first.map((record) => [record.change.key, record.seq]));
    this.#copy(to, first, from, `move${move}.first`, () => {
      const finish = (): void => {
        if (isOver) return;
        const changed = this.#points(from).filter((record) => seen.get(record.change.key) !== record.seq);
        this.#copy(to, changed, from, `move${move}.last`, () => {
          if (isOver || from.isDead || from.machine.status.term !== term) return;
          // What a forced promotion leads may lack the first copy.
          if (this.#meta.read(target).term !== targetTerm) return;
          const { cfgVersion } = this.#meta.read(source);
          if (
            !this.#meta.propose({
              kind: 'move_slots',
              from: source,
              to: target,
              term,
              cfgVersion,
              slots: [slot],
            })
          )
            return;
          isOver = true;
          this.#isBusy = false;
          this.#world.count('slot moved');
          this.#world.checks.slotsMoved(from, target, (key) => key % this.#world.slotCount === slot);
        });
      };
      if (isOver) return;
      if (mutant?.movesSlotsWithoutFence === true) loop.at(20, finish);
      else from.fence(move, [slot], finish);
    });
  }

  #primaryOf(shard: number): Host | null {
    const { primary, nodes } = this.#meta.read(shard);
    const host = this.#nodes.get(nodes.get(primary ?? '') ?? '')?.hosts.get(shard);
    return host?.machine.status.role === 'primary' ? host : null;
  }

  #points(from: Host): Record[] {
    return [...from.disk.content.points.values()].filter(
      ({ change }) => change.key % this.#world.slotCount === slot,
    );
  }

  #copy(to: Host, records: readonly Record[], from: Host, key: string, onDone: () => void): void {
    const changes = records.map(({ change }) => change);
    const adopted =
      this.#world.mutant?.adoptsNoKeys === true ? [] : [...from.disk.content.operations.values()];
    to.import(
      { op: -1, operationKey: key, changes, adopted, waitFor: 'durable', timeoutMs: patienceMs },
      (answer) => {
        if (answer.kind === 'ok') onDone();
      },
    );
  }
}
