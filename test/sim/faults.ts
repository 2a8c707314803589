/**
 * What goes wrong. Always: no disk is lost while it is the last one that is intact in meta's in-sync set: that much the
 * promise to the user excludes (unless the seed allows a forced promotion).
 */
import type { World } from './world.ts';
import type { MetaSide } from './meta-side.ts';
import type { Node } from './node.ts';

export const faultKinds = [
  'loss',
  'duplication',
  'delay',
  'slow_disk',
  'failed_write',
  'crash',
  'pause',
  'cut',
  'disk_loss',
  'damage',
  'lost_tail',
  'corruption',
  'forced_promotion',
  'clock',
  'full_disk',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export class Faults {
  readonly #world: World;
  readonly #side: MetaSide;
  readonly #nodes: readonly Node[];
  readonly #options: { readonly has: (fault: FaultKind) => boolean; readonly forces: boolean };
  /** How often each of them strikes is a matter of the seed. */
  readonly #rates: { readonly crash: number; readonly pause: number; readonly cut: number };

  constructor(
    world: World,
    side: MetaSide,
    nodes: readonly Node[],
    options: { readonly has: (fault: FaultKind) => boolean; readonly forces: boolean },
  ) {
    this.#world = world;
    this.#side = side;
    this.#nodes = nodes;
    this.#options = options;
    const { random } = world;
    this.#rates = { crash: random.unit() * 0.4, pause: random.unit() * 0.2, cut: random.unit() * 0.4 };
  }

  strike(): void {
    const { random } = this.#world;
    const { has } = this.#options;
    const node = random.pick(this.#nodes);
    // Numbers are drawn whether or not the fault is left out, so that leaving one out changes little else.
    const [crashes, pauses, cuts] = [
      random.chance(this.#rates.crash),
      random.chance(this.#rates.pause),
      random.chance(this.#rates.cut),
    ];
    if (crashes && has('crash')) this.#crash(node);
    if (pauses && has('pause')) this.#pause(random.pick(this.#nodes));
    if (cuts && has('cut')) this.#cut();
    if (crashes && has('crash') && random.chance(0.03)) for (const other of this.#nodes) this.#crash(other);
  }

  #crash(node: Node): void {
    const { random, loop, count } = this.#world;
    if (!node.isUp) return;
    count('crash');
    node.crash();
    this.#side.nodeExited(node.name);
    for (const [shard, disk] of [...node.disks]) {
      const isLost = random.chance(0.1) && this.#options.has('disk_loss');
      const isDamaged = random.chance(0.1) && this.#options.has('damage');
      // Past a forced promotion a copy with a lost tail may be all there is.
      const isShort = random.chance(0.15) && this.#options.has('lost_tail') && !this.#options.forces;
      if ((!isLost && !isDamaged && !isShort) || !this.#mayLose(shard, disk.alloc)) continue;
      if (isLost) node.loseDisk(shard);
      else if (isDamaged) disk.damage();
      else if (!disk.loseTail(random)) continue;
      count(isLost ? 'disk lost' : isDamaged ? 'disk damaged' : 'tail lost');
    }
    loop.at(20 + random.below(400), () => {
      if (!node.isUp) node.start();
    });
  }

  #mayLose(shard: number, alloc: string): boolean {
    const { isr: inSync, replicas } = this.#side.meta.read(shard);
    const isr = this.#options.forces && this.#world.random.chance(0.5) ? replicas : inSync;
    const intact = this.#nodes.flatMap(({ disks }) => {
      const disk = disks.get(shard);
      return disk !== undefined && !disk.isDamaged && !disk.isShort && isr.includes(disk.alloc)
        ? [disk.alloc]
        : [];
    });
    // A removal that its primary has sent may come to meta after the primary's end, and make its lost disk the last one.
    const { checks } = this.#world;
    return intact.some(
      (other) => other !== alloc && checks.staysInSync(shard, other) && this.#side.isSettled(shard, other),
    );
  }

  #pause(node: Node): void {
    if (!node.isUp || node.isPaused) return;
    this.#world.count('pause');
    node.pause();
    this.#world.loop.at(30 + this.#world.random.below(700), () => node.resume());
  }

  #cut(): void {
    const { random, network, count } = this.#world;
    count('cut');
    const from = random.pick(this.#nodes).name;
    const to = random.chance(0.25) ? this.#side.cutName(random) : random.pick(this.#nodes).name;
    const forMs = random.below(600);
    network.cut(from, to, forMs);
    if (random.chance(0.4)) network.cut(to, from, forMs);
    // From everybody: the node lives on alone.
    if (random.chance(0.15))
      for (const { name } of this.#nodes) {
        network.cut(from, name, forMs);
        network.cut(name, from, forMs);
      }
  }

  /** Flips a bit on a follower of a cluster at rest, and asks the primary to compare. */
  corrupt(): void {
    const { checks, random } = this.#world;
    const { primary } = this.#side.meta.read(0);
    const hosts = this.#nodes.flatMap(({ hosts: all }) => all.get(0) ?? []);
    const follower = hosts.find(({ alloc }) => alloc !== primary);
    const points = [...(follower?.disk.content.points.keys() ?? [])];
    if (follower === undefined || points.length === 0) return;
    checks.flipped = follower.alloc;
    if (!follower.corrupt(random.pick(points))) return;
    this.#world.count('bit flipped');
    const leader = hosts.find(({ alloc }) => alloc === primary);
    leader?.step({ kind: 'check_digests', nowMs: leader.nowMs });
  }
}
