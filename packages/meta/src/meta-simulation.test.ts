// Random kills, restarts, wiped disks and partitions of three or five members under load, on a virtual clock. Replay one
// with `META_SEED=<seed> npx vitest run --project unit packages/meta/src/meta-simulation.test.ts`; more with META_SEEDS=<n>.
import { describe, expect, test } from 'vitest';
import type { MetaCommand } from '@quiver/rpc';
import type { Founding } from './founding.ts';
import { createStateMachine } from './state-machine.ts';
import { config } from './testing/records.ts';
import { createMetaNetwork, type MetaNetwork } from './testing/meta-network.ts';

const seedsDefault = 8;
const only = process.env['META_SEED'];
const count = Number(process.env['META_SEEDS'] ?? seedsDefault);
/** They once found a snapshot beyond the stored commit index. */
const known = [1_063, 1_112];
const seeds =
  only === undefined ? [...known, ...Array.from({ length: count }, (_, i) => 1_000 + i)] : [Number(only)];

const custom = { ...config, params: { ...config.params, sharding_method: 'custom' as const } };
const create = (name: string): MetaCommand => ({
  kind: 'create_collection',
  name,
  uuid: `uuid of ${name}`,
  config: custom,
});
const steps = 60;

interface Run {
  readonly network: MetaNetwork;
  readonly names: readonly string[];
  readonly founding: Founding;
  /** Seeded, apart from what the members draw. */
  pick(max: number): number;
  readonly down: Set<string>;
}

function members(seed: number): Run {
  const network = createMetaNetwork(seed);
  let state = seed;
  const pick = (max: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * max);
  };
  const names = ['a', 'b', 'c', 'd', 'e'].slice(0, pick(2) === 0 ? 3 : 5);
  const peers = names.map((name) => ({ name, address: `${name}:6335` }));
  return { network, names, founding: { kind: 'peers', peers }, pick, down: new Set() };
}

const settings = { snapshotAfterBytes: 3_000 };

/** A minority at most is down at a time; a wiped disk only while all others are up and heard. */
async function disturb(run: Run): Promise<void> {
  const { network, names, founding, down } = run;
  const pick = (max: number): number => run.pick(max);
  const name = names[pick(names.length)]!;
  switch (pick(6)) {
    case 0:
    case 1:
      if (down.has(name) || (down.size + 1) * 2 > names.length) return;
      down.add(name);
      network.kill(name);
      return;
    case 2: {
      const [back] = down;
      if (back === undefined) return;
      down.delete(back);
      await network.start(back, founding, { settings });
      return;
    }
    case 3: {
      const some = names.filter(() => pick(3) === 0);
      network.partition(
        some,
        names.filter((one) => !some.includes(one)),
      );
      return;
    }
    case 4:
      network.cut(name, names[pick(names.length)]!);
      return;
    case 5:
      network.heal();
  }
}

describe('members under random faults', () => {
  test.each(seeds)(
    'seed %i: what was confirmed is there, once, on all of them, in one order',
    async (seed) => {
      const run = members(seed);
      const { network, names, founding } = run;
      const nodes = [];
      for (const name of names) nodes.push(await network.start(name, founding, { settings }));
      await network.settle(Promise.all(nodes.map(({ ready }) => ready)));
      const confirmed: string[] = [];
      const revisions = new Map<string, number>();
      const under: Promise<void>[] = [];
      for (let step = 0; step < steps; step += 1) {
        await disturb(run);
        const alive = [...network.processes].filter(([, { node }]) => node !== null);
        const { node } = alive[run.pick(alive.length)]![1];
        const name = `c${step}`;
        const proposal = node!.propose(create(name), { deadlineMs: network.env.now() + 15_000 }).then(
          ({ changed, revision }) => {
            expect(changed).toBe(true);
            confirmed.push(name);
            revisions.set(name, revision);
          },
          (error: unknown) => {
            // Never "already exists": a repeated proposal is recognised.
            expect(error).toMatchObject({
              code: expect.stringMatching(/unavailable|deadline_exceeded/) as string,
            });
          },
        );
        under.push(proposal);
        await network.env.advance(run.pick(600));
      }
      network.heal();
      for (const name of run.down) await network.start(name, founding, { settings });
      await network.settle(Promise.all(under));
      const all = [...network.processes.values()].map(({ node }) => node!);
      await network.settle(
        Promise.all(all.map((node) => node.refresh({ deadlineMs: network.env.now() + 30_000 }))),
      );
      await network.env.advance(5_000);
      const [first] = all;
      for (const name of confirmed) expect(first!.catalogue().collections.has(name)).toBe(true);
      expect(new Set(revisions.values()).size).toBe(revisions.size);
      for (const node of all) {
        expect(node.catalogue().revision).toBe(first!.catalogue().revision);
        expect([...node.catalogue().collections.keys()]).toEqual([...first!.catalogue().collections.keys()]);
      }
      expect(new Set(all.map((node) => node.stateHash())).size).toBe(1);
      expect(confirmed.length).toBeGreaterThan(0);
      expect(createStateMachine().hash()).not.toBe(first!.stateHash());
      await network.close();
    },
  );
});
