/** The metadata's part of a simulated cluster: a register with a simple controller, or real members. */
import { Controller } from './controller.ts';
import { RegisterAccess } from './meta-link.ts';
import { SimMeta, type Meta, type MetaAccess, type ShardRecord } from './meta.ts';
import type { Node } from './node.ts';
import { SlotMover } from './slot-mover.ts';
import type { World } from './world.ts';
import type { Random } from './event-loop.ts';
import type { AllocId } from '@quiver/replication';

export interface Sizes {
  readonly shardCount: number;
  readonly copiesWanted: number;
  readonly nodeCount: number;
  readonly minInSync: number;
}

export type Every = (ms: number, run: () => void) => void;

export interface MetaSide {
  readonly meta: Meta;
  readonly access: MetaAccess;
  /** Longest that the healed cluster may take to come to rest. */
  readonly calmMsMax: number;
  /** Where a cut may be, on the way to the metadata. */
  cutName(random: Random): string;
  /** Brings the shards into being. @param step - goes on until the given time */
  found(
    nodes: readonly Node[],
    clients: readonly string[],
    step: (untilMs: number) => Promise<void>,
  ): Promise<void>;
  begin(every: Every): void;
  /** Faults of its own. */
  strike(): void;
  beginCalm(): void;
  /** Before the end is looked at again. */
  afterCalm(): void;
  /** Why it is not at rest, or null. */
  problem(): string | null;
  /** Whether the copy will surely stay in the in-sync set, whatever is under way. */
  isSettled(shard: number, alloc: AllocId): boolean;
  nodeExited(name: string): void;
  /** After code that waits for promises has run. */
  look(): void;
  end(): void;
}

export interface SideOptions {
  readonly sizes: Sizes;
  readonly forces: boolean;
}

/** One linearizable register and a controller that is sometimes wrong: cheap, so that many seeds are possible. */
export class RegisterSide implements MetaSide {
  readonly meta: SimMeta;
  readonly access: RegisterAccess;
  readonly calmMsMax = 8_000;
  readonly #world: () => World;
  readonly #options: SideOptions;
  #controller: Controller | null = null;
  #mover: SlotMover | null = null;
  #nodes: readonly Node[] = [];

  constructor(world: () => World, random: Random, options: SideOptions) {
    this.#world = world;
    this.#options = options;
    this.meta = new SimMeta(firstRecords(random, options.sizes), (before, after, command) =>
      world().checks.metaChanged(before, after, command),
    );
    this.access = new RegisterAccess(world, this.meta, options.sizes.shardCount);
  }

  cutName(): string {
    return 'meta';
  }

  found(nodes: readonly Node[]): Promise<void> {
    const world = this.#world();
    const { random } = world;
    const { copiesWanted, shardCount } = this.#options.sizes;
    this.#nodes = nodes;
    this.#controller = new Controller(world, this.meta, nodes, {
      copiesWanted,
      ttlMs: 200 + random.below(400),
      whim: random.chance(0.5) ? random.unit() * 0.15 : 0,
      movesCopies: random.chance(0.4),
      forces: this.#options.forces,
    });
    this.#mover = new SlotMover(world, this.meta, new Map(nodes.map((node) => [node.name, node])));
    for (const node of nodes)
      for (let shard = 0; shard < shardCount; shard += 1) node.learn(this.meta.read(shard));
    return Promise.resolve();
  }

  begin(every: Every): void {
    const { shardCount } = this.#options.sizes;
    const controller = this.#controller!;
    const { network } = this.#world();
    every(60, () => {
      for (const node of this.#nodes) {
        if (!node.isUp || node.isPaused) continue;
        controller.heartbeat(node);
        for (let shard = 0; shard < shardCount; shard += 1)
          network.send('meta', node.name, () => node.run(() => node.learn(this.meta.read(shard))));
      }
    });
    every(90, () => {
      for (let shard = 0; shard < shardCount; shard += 1) {
        controller.reconcile(shard);
        if (controller.isCalm) controller.trim(shard);
      }
    });
    if (shardCount === 2) every(300, () => this.#mover!.poke());
  }

  strike(): void {
    // The register does not fail: only the ways to it do.
  }
  beginCalm(): void {
    this.#controller!.isCalm = true;
  }
  afterCalm(): void {
    // Its controller never stops.
  }
  problem(): null {
    return null;
  }
  /** With one copy more than is wanted the controller takes some copy out, whatever became of the others. */
  isSettled(shard: number): boolean {
    return this.meta.read(shard).replicas.length <= this.#options.sizes.copiesWanted;
  }
  nodeExited(name: string): void {
    this.#controller!.nodeExited(name);
  }
  look(): void {
    // Nothing here waits for promises.
  }
  end(): void {
    // Nothing to stop.
  }
}

function firstRecords(
  random: Random,
  { shardCount, copiesWanted, nodeCount, minInSync }: Sizes,
): ShardRecord[] {
  return Array.from({ length: shardCount }, (_, shard) => {
    const allocs = Array.from({ length: copiesWanted }, (_unused, index) => `s${shard}a${index}`);
    const slots = [0, 1, 2, 3].filter((slot) => shardCount === 1 || slot % 2 === shard);
    return {
      shard,
      slots,
      term: 1,
      cfgVersion: 1,
      primary: allocs[0]!,
      isr: [allocs[0]!],
      replicas: allocs,
      minInSync: shard === 0 || random.chance(0.7) ? minInSync : 1,
      nodes: new Map(allocs.map((alloc, index) => [alloc, `n${(index + shard) % nodeCount}`])),
    };
  });
}
