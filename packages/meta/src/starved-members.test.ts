// Members whose processes get so little of a processor that everything comes late to them: they settle on a leader and keep
// it, slowly, instead of electing without end.
import type { Env } from '@quiver/env';
import { createVirtualEnv, type VirtualEnv } from '@quiver/env/testing';
import { createMemoryStore } from '@quiver/storage';
import { silentLog } from '@quiver/telemetry';
import { expect, test } from 'vitest';
import { startRaftHost, type RaftHost } from './raft-host.ts';
import { openRaftStorage } from './raft-storage.ts';

/** One process: its timers and what comes for it wait in line, and each takes its time. */
class SlowProcess {
  readonly #clock: VirtualEnv;
  readonly #taskMs: number;
  readonly #line: (() => void)[] = [];
  #isBusy = false;

  /** @param taskMs - on average */
  constructor(clock: VirtualEnv, taskMs: number) {
    this.#clock = clock;
    this.#taskMs = taskMs;
  }

  get env(): Env {
    const clock = this.#clock;
    return {
      ...clock,
      now: () => clock.now(),
      after: (delayMs, task) => {
        let isCancelled = false;
        const cancel = clock.after(delayMs, () => this.run(() => (isCancelled ? undefined : task())));
        return () => {
          isCancelled = true;
          cancel();
        };
      },
      soon: (task) => clock.soon(() => this.run(task)),
    };
  }

  run(task: () => void): void {
    this.#line.push(task);
    if (!this.#isBusy) this.#next();
  }

  #next(): void {
    const task = this.#line.shift();
    this.#isBusy = task !== undefined;
    if (task === undefined) return;
    this.#clock.after(this.#taskMs * (0.5 + this.#clock.random()), () => {
      task();
      this.#next();
    });
  }
}

async function startMembers(clock: VirtualEnv, taskMs: number): Promise<RaftHost[]> {
  const voters = [1, 2, 3];
  const confState = { voters, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const processes = voters.map(() => new SlowProcess(clock, taskMs));
  const hosts: RaftHost[] = [];
  for (const memberId of voters) {
    const store = await createMemoryStore(clock);
    const storage = await openRaftStorage(store);
    await storage.setIdentity({ memberId, clusterId: 'c', contacts: [], founders: null });
    await storage.install({ index: 1, term: 1, confState }, Uint8Array.of(7), {
      term: 1,
      vote: 0,
      commit: 1,
    });
    const host = startRaftHost({
      memberId,
      storage: await openRaftStorage(store),
      settings: { tickMs: 50, snapshotAfterBytes: 1 << 20 },
      env: processes[memberId - 1]!.env,
      log: silentLog(),
      send: (message) =>
        void clock.after(1, () => processes[message.to - 1]!.run(() => hosts[message.to - 1]!.step(message))),
      fetchSnapshot: () => Promise.reject(new Error('nobody sends one')),
      apply: () => undefined,
      snapshot: () => Uint8Array.of(7),
      restore: () => undefined,
      onRole: () => undefined,
      onTurn: () => undefined,
      onStuck: () => undefined,
      onFailure: (error) => expect.unreachable(String(error)),
    });
    hosts.push(host);
  }
  return hosts;
}

test.each([
  { taskMs: 20, settledMs: 3_000 },
  { taskMs: 150, settledMs: 15_000 },
  { taskMs: 300, settledMs: 30_000 },
])(
  'with $taskMs ms for each task they have one leader after $settledMs ms, and the same after minutes',
  async ({ taskMs, settledMs }) => {
    for (const seed of [1, 2, 3]) {
      const clock = createVirtualEnv({ seed });
      const hosts = await startMembers(clock, taskMs);
      await clock.advance(settledMs);
      const leader = hosts.find(({ isSettledLeader }) => isSettledLeader);
      expect(leader, `a leader, seed ${seed}`).toBeDefined();
      const term = leader!.term;
      await clock.advance(180_000);
      expect(
        hosts.map((host) => host.term),
        `terms, seed ${seed}`,
      ).toEqual([term, term, term]);
      for (const host of hosts) await host.close();
    }
  },
);
