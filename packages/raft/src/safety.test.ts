// Clusters under random schedules: the properties of figure 3 of the Raft paper hold after every action, and once the
// faults end the cluster goes on. QUIVER_SEED=n replays one run, QUIVER_SIM_SEEDS=n runs more of them.
// Also etcd's rafttest/node_test.go, with time that the test drives.
import { describe, expect, test } from 'vitest';
import { Cluster } from './testing/cluster.ts';

const firstSeed = 1;
const seedCount = Number(process.env['QUIVER_SIM_SEEDS'] ?? 120);
const replay = process.env['QUIVER_SEED'];
const seeds =
  replay === undefined ? Array.from({ length: seedCount }, (_, i) => firstSeed + i) : [Number(replay)];
const actions = 1_500;

/** One random action. */
function act(cluster: Cluster): void {
  const { random, members } = cluster;
  const member = members[random(members.length)]!;
  const chance = random(1000);
  if (member.node === null) {
    if (chance < 300) cluster.start(member);
  } else if (chance < 5) cluster.crash(member);
  else if (chance < 15) cluster.compact(member);
  else if (chance < 30) cluster.proposeRandomChange(member);
  else if (chance < 70) cluster.propose(member);
  else if (chance < 90) cluster.read(member);
  else if (chance < 93) cluster.work(member, 'before');
  else if (chance < 96) cluster.work(member, 'after');
  else if (chance < 100) member.node.transferLeader(1 + random(members.length));
  else if (chance < 104) member.node.forgetLeader();
  else if (chance < 300) cluster.tick(member);
  else if (chance < 550) cluster.work(member);
  else if (chance < 700) cluster.storageWork(member);
  else cluster.deliverOne();
}

function run(seed: number): Cluster {
  const cluster = new Cluster({
    seed,
    voters: [1, 3, 3, 5][seed % 4]!,
    spares: 2,
    lostPercent: [0, 5, 20][seed % 3]!,
    doubledPercent: [0, 5, 0, 0, 5][seed % 5]!,
    config: {
      electionTicks: 5,
      asyncStorageWrites: seed % 2 === 0,
      messageBytesMax: [0, 64, 4096][seed % 3]!,
      inflightBytesMax: 8192,
      inflightCountMax: 1 + (seed % 5),
    },
  });
  for (let i = 0; i < actions; i += 1) act(cluster);
  return cluster;
}

/** Faults end: what is proposed then is applied by every member. */
function expectProgress(cluster: Cluster): void {
  cluster.settle(60);
  const lead = cluster.leader();
  if (lead === undefined) throw new Error('no leader after the faults');
  if (!cluster.propose(lead, 'after')) throw new Error('the leader takes no proposal');
  cluster.settle(20);
  const { voters, learners, votersOutgoing } = lead.confState;
  if (votersOutgoing.length > 0) throw new Error('still in a joint configuration');
  for (const id of [...voters, ...learners]) {
    const member = cluster.members[id - 1]!;
    if (member.appliedIndex !== lead.appliedIndex || member.fold !== lead.fold)
      throw new Error(`member ${id} is at ${member.appliedIndex}, the leader at ${lead.appliedIndex}`);
  }
}

const timeout = 60_000 + seeds.length * 100;
test(`no schedule breaks an invariant (${seeds.length} seeds from ${seeds[0] ?? 0})`, { timeout }, () => {
  const total = { elections: 0, applied: 0, snapshots: 0, truncations: 0 };
  for (const seed of seeds) {
    try {
      const cluster = run(seed);
      expectProgress(cluster);
      for (const name of Object.keys(total) as (keyof typeof total)[])
        total[name] += cluster.invariants.counts[name];
    } catch (error) {
      const command = `QUIVER_SEED=${seed} npx vitest run --project unit packages/raft/src/safety.test.ts`;
      throw new Error(`seed ${seed}: ${(error as Error).message}; replay: ${command}`, { cause: error });
    }
  }
  console.info(`${seeds.length} seeds: ${JSON.stringify(total)}`);
  // The schedules do reach what they are for.
  if (replay === undefined) for (const count of Object.values(total)) expect(count).toBeGreaterThan(0);
});

test('the same seed gives the same run', () => {
  const states = [1, 2].map(() =>
    run(7).members.map(({ appliedIndex, fold, node }) => [appliedIndex, fold, node?.core.term]),
  );
  expect(states[0]).toEqual(states[1]);
});

describe('rafttest', () => {
  const five = (): Cluster => {
    const cluster = new Cluster({ seed: 11, voters: 5 });
    cluster.settle(40);
    return cluster;
  };
  const propose = (cluster: Cluster, count: number): void => {
    for (let i = 0; i < count; i += 1) {
      const lead = cluster.leader();
      expect(lead !== undefined && cluster.propose(lead)).toBe(true);
      cluster.round();
    }
  };
  const expectAllEqual = (cluster: Cluster, atLeast: number): void => {
    cluster.settle(60);
    const [first] = cluster.members;
    expect(first!.appliedIndex).toBeGreaterThanOrEqual(atLeast);
    for (const { appliedIndex, fold } of cluster.members)
      expect([appliedIndex, fold]).toEqual([first!.appliedIndex, first!.fold]);
  };

  test('TestBasicProgress', () => {
    const cluster = five();
    propose(cluster, 100);
    expectAllEqual(cluster, 101);
  });

  test('TestRestart', () => {
    const cluster = five();
    propose(cluster, 30);
    const followers = cluster.members.filter((member) => member !== cluster.leader());
    const [one, other] = [followers[0]!, followers[1]!];
    cluster.crash(one);
    propose(cluster, 30);
    cluster.crash(other);
    propose(cluster, 30);
    cluster.start(other);
    propose(cluster, 30);
    cluster.start(one);
    expectAllEqual(cluster, 121);
  });

  test('TestPause', () => {
    const cluster = five();
    propose(cluster, 30);
    const followers = cluster.members.filter((member) => member !== cluster.leader());
    followers[0]!.isPaused = true;
    propose(cluster, 30);
    followers[1]!.isPaused = true;
    propose(cluster, 30);
    expectAllEqual(cluster, 91);
  });
});
