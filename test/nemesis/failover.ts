/**
 * What users feel while one process of a cluster dies or hangs:
 *
 *   node test/nemesis/failover.ts [--trials 20] [--seed S]
 *
 * Each trial of a kind: load on a shard of two replicas through both routers, the fault, `watchedMs` of watching, the
 * process comes back, all replicas in sync again, and every acknowledged write is read back through both routers. Prints
 * p50, p99 and max of the write gap and the read gap, failed requests and lost writes. A trial in which a client sees no
 * fault still has the gap of its slowest request.
 */
import { parseArgs } from 'node:util';
import { QdrantClient } from '@qdrant/js-client-rest';
import { createRng } from '@quiver/kernel';
import { startRoles, type ClusterNode } from '../harness/cluster.ts';
import { hostOfShard, leader } from './faults.ts';
import { startLoad, type Feel } from './gap.ts';
import { createRegisterCollection } from './history.ts';
import { observe } from './observer.ts';
import { sleep, type World as WholeWorld } from './world.ts';

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
type World = Pick<WholeWorld, 'cluster' | 'observer' | 'collection' | 'random'>;

const trialCount = Number(values.trials);
const collection = 'registers';
const pointCount = 64;
const steadyMs = 500;
const watchedMs = 3_000;
/** A node that hangs is declared away, which takes longer than that of one whose connections broke. */
const pausedMs = 10_000;
const requestTimeoutMs = 30_000;
const settleMsMax = 60_000;

type Kind = 'kill primary' | 'pause primary' | 'kill follower' | 'kill meta leader';
const kinds: readonly Kind[] = ['kill primary', 'pause primary', 'kill follower', 'kill meta leader'];

const rng = createRng(Number(values.seed));
/** By point: the value of its last acknowledged write. Each point has one writer, whose values rise. */
const acknowledged = new Map<number, number>();
let [writeCount, lostCount, lastValue] = [0, 0, 0];
const cluster = await startRoles({ metas: 3, shards: 3, routers: 2 });
const results = new Map<Kind, { writes: Feel; reads: Feel }[]>(kinds.map((kind) => [kind, []]));
try {
  await createRegisterCollection(cluster.urls()[0]!, collection, { shard_number: 1, replication_factor: 2 });
  const observer = observe(cluster);
  const world: World = { cluster, observer, collection, random: () => rng.float() };
  for (let i = 0; i < trialCount; i += 1)
    for (const kind of kinds) {
      await inSync(world);
      const trial = await run(kind, world);
      results.get(kind)!.push(trial);
      console.log(
        `${kind} ${i}: writes ${Math.round(trial.writes.gapMs)} ms, ${trial.writes.failedCount} failed; ` +
          `reads ${Math.round(trial.reads.gapMs)} ms, ${trial.reads.failedCount} failed`,
      );
      await inSync(world);
      await readBack();
      for (const error of [...trial.writes.errors, ...trial.reads.errors]) console.log(`  ${error}`);
    }
  await observer.close();
} finally {
  await cluster.stop();
  for (const kind of kinds) print(kind);
  console.log(`acknowledged writes ${writeCount}, lost ${lostCount}`);
}

function clients(): QdrantClient[] {
  return cluster
    .urls()
    .map((url) => new QdrantClient({ url, checkCompatibility: false, timeout: requestTimeoutMs }));
}

async function run(kind: Kind, world: World): Promise<{ writes: Feel; reads: Feel }> {
  const routers = clients();
  const clientOf = (turn: number): QdrantClient => routers[turn % routers.length]!;
  const base = lastValue + 1;
  const writes = startLoad(2, async (turn) => {
    const [id, value] = [turn % pointCount, base + turn];
    lastValue = Math.max(lastValue, value);
    await clientOf(turn).upsert(collection, {
      wait: true,
      points: [{ id, vector: [turn, 1, 1, 1], payload: { value } }],
    });
    acknowledged.set(id, value);
    writeCount += 1;
  });
  const reads = startLoad(2, (turn) => clientOf(turn).retrieve(collection, { ids: [turn % pointCount] }));
  await sleep(steadyMs);
  const victim = await victimOf(kind, world);
  const isPause = kind === 'pause primary';
  victim.server.process.kill(isPause ? 'SIGSTOP' : 'SIGKILL');
  await sleep(isPause ? pausedMs : watchedMs);
  const feel = { writes: await writes.stop(), reads: await reads.stop() };
  if (isPause) victim.server.process.kill('SIGCONT');
  else await victim.restart();
  return feel;
}

/** A later write that nobody answered may stand in place of the acknowledged one, an earlier one may not. */
async function readBack(): Promise<void> {
  for (const client of clients()) {
    const ids = [...acknowledged.keys()];
    const points = await client.retrieve(collection, { ids, with_payload: true, consistency: 'majority' });
    const found = new Map(points.map(({ id, payload }) => [Number(id), Number(payload!['value'])]));
    for (const [id, value] of acknowledged) {
      if ((found.get(id) ?? -1) >= value) continue;
      lostCount += 1;
      console.log(`LOST: point ${id} was acknowledged with ${value} and has ${found.get(id) ?? 'nothing'}`);
    }
  }
}

function victimOf(kind: Kind, world: World): ClusterNode | Promise<ClusterNode> {
  if (kind === 'kill meta leader') return leader(world);
  return hostOfShard(world, kind === 'kill follower' ? 'follower' : 'primary');
}

async function inSync({ observer }: World): Promise<void> {
  const deadline = performance.now() + settleMsMax;
  for (;;) {
    const shards = observer.shards(collection);
    if (shards.length === 1 && shards.every(({ inSync, primary }) => inSync.length === 2 && primary !== null))
      return;
    if (performance.now() > deadline) throw new Error(`not in sync again: ${JSON.stringify(shards)}`);
    await sleep(50);
  }
}

function print(kind: Kind): void {
  const trials = results.get(kind)!;
  if (trials.length === 0) return;
  const line = (part: 'writes' | 'reads'): string => {
    const gaps = trials.map((trial) => trial[part].gapMs).sort((a, b) => a - b);
    const at = (share: number): number => Math.round(gaps[Math.ceil(share * gaps.length) - 1]!);
    const sum = (field: 'failedCount' | 'okCount'): number =>
      trials.reduce((total, trial) => total + trial[part][field], 0);
    return `${part} p50 ${at(0.5)} p99 ${at(0.99)} max ${at(1)} ms, ${sum('failedCount')} failed of ${sum('okCount') + sum('failedCount')}`;
  };
  console.log(`${kind}, ${trials.length} trials: ${line('writes')}; ${line('reads')}`);
}
