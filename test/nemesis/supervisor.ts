/**
 * What starts processes again on a real machine: a node that ended by itself (a poisoned volume, a full disk) is started
 * until it stays. Always: a node that a fault holds down is left alone; of a node one process is started at a time, since
 * of two the one that fails would be taken for it, and the other be left behind; every end that nobody asked for is kept.
 */
import type { Cluster, ClusterNode } from '../harness/cluster.ts';
import { sleep } from './world.ts';

export interface UnaskedEnd {
  readonly name: string;
  readonly code: number | string | null;
  /** The newest lines of its log. */
  readonly log: string;
}

export interface Supervisor {
  /** Ends that no fault asked for, oldest first. */
  readonly ends: readonly UnaskedEnd[];
  /** Kills nodes, waits for `act`, and starts them again. @throws when one does not start in time */
  during<T>(victims: readonly ClusterNode[], act: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const pollMs = 200;
/** A supervisor backs off a little. */
const restartAfterMs = 1_000;
const startMsMax = 240_000;
const logLines = 30;

export function supervise(cluster: Cluster, log: (line: string) => void): Supervisor {
  const held = new Set<ClusterNode>();
  /** Starts of nodes that ended by themselves. */
  const restarts = new Map<ClusterNode, Promise<void>>();
  const ends: UnaskedEnd[] = [];
  const closing = new AbortController();

  async function watch(node: ClusterNode): Promise<void> {
    while (!closing.signal.aborted) {
      await sleep(pollMs);
      const { exitCode, signalCode } = node.server.process;
      if (held.has(node) || (exitCode === null && signalCode === null)) continue;
      const end = { name: node.name, code: exitCode ?? signalCode, log: tail(node) };
      ends.push(end);
      log(`${node.name} ended by itself with ${end.code}: ${reason(end.log)}`);
      const restarting = sleep(restartAfterMs)
        .then(() => node.restart())
        .catch(() => undefined);
      restarts.set(node, restarting);
      await restarting;
      restarts.delete(node);
    }
  }

  async function start(node: ClusterNode): Promise<void> {
    const deadline = performance.now() + startMsMax;
    let said = '';
    for (;;) {
      try {
        await node.restart();
        return;
      } catch (error) {
        const { exitCode, signalCode } = node.server.process;
        ends.push({ name: node.name, code: exitCode ?? signalCode, log: tail(node) });
        if (reason(tail(node)) !== said) log(`${node.name} did not start: ${(said = reason(tail(node)))}`);
        if (performance.now() > deadline) throw new Error(`${node.name} did not start`, { cause: error });
        await sleep(restartAfterMs);
      }
    }
  }

  const watches = cluster.nodes.map(watch);
  return {
    ends,
    async during(victims, act) {
      for (const victim of victims) held.add(victim);
      try {
        await Promise.all(victims.map((victim) => restarts.get(victim) ?? Promise.resolve()));
        await Promise.all(victims.map(({ server }) => server.kill()));
        const result = await act();
        const started = await Promise.allSettled(victims.map(start));
        for (const outcome of started) if (outcome.status === 'rejected') throw outcome.reason;
        return result;
      } finally {
        for (const victim of victims) held.delete(victim);
      }
    },
    async close() {
      closing.abort();
      await Promise.all(watches);
    },
  };
}

function tail({ server }: ClusterNode): string {
  return server.log().split('\n').slice(-logLines).join('\n');
}

function reason(log: string): string {
  const telling = log.split('\n').findLast((line) => /error|fail|Error/.test(line)) ?? '';
  return telling.slice(0, 400);
}
