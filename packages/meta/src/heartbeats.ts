/**
 * Heartbeats of a node to whoever leads the metadata, twice a second, outside the log. One is under way at a time; a
 * member that does not lead says who does, one that does not answer is passed over.
 */
import type { Env } from '@quiver/env';
import type { Catalogue } from '@quiver/model';
import { decodePlain, encodePlain, peerPaths, type PeerCaller } from '@quiver/rpc';
import type { Heartbeat, HeartbeatReply } from './node-report.ts';

export interface HeartbeatOptions {
  readonly env: Env;
  readonly caller: Pick<PeerCaller, 'call'>;
  readonly make: () => Heartbeat;
  /** Members to try, best first. */
  readonly candidates: () => readonly string[];
  /** This process leads itself: taken without a call. */
  readonly takeHere: (heartbeat: Heartbeat) => boolean;
  readonly onReply?: (reply: HeartbeatReply) => void;
}

export const heartbeatMs = 500;
const timeoutMs = 1_000;

export function startHeartbeats(options: HeartbeatOptions): { stop(): void } {
  const { env, caller } = options;
  let isStopped = false;
  let leader: string | null = null;
  let next = 0;

  async function beat(): Promise<void> {
    const heartbeat = options.make();
    if (options.takeHere(heartbeat)) return;
    const message = encodePlain(heartbeat);
    const candidates = options.candidates();
    // The leader it knows; where that leads nowhere, the members in turn: at most two calls a beat.
    for (let attempt = 0; attempt < 2 && !isStopped; attempt += 1) {
      const address: string | undefined = leader ?? candidates[next % Math.max(1, candidates.length)];
      if (address === undefined) return;
      try {
        const answer = await caller.call(address, peerPaths.meta.heartbeat, message, {
          deadlineMs: env.now() + timeoutMs,
        });
        const reply = decodePlain(answer) as HeartbeatReply;
        options.onReply?.(reply);
        if (reply.isLeader) {
          leader = address;
          return;
        }
        leader = reply.leader === address ? null : reply.leader;
        if (leader === null) next += 1;
      } catch {
        leader = null;
        next += 1;
      }
    }
  }

  function run(): void {
    if (isStopped) return;
    const startedAtMs = env.now();
    void beat().then(() => {
      if (!isStopped) env.after(Math.max(0, heartbeatMs - (env.now() - startedAtMs)), run);
    });
  }
  run();
  return {
    stop() {
      isStopped = true;
    },
  };
}

/** Where members of the metadata are, as the catalogue has it. */
export function metaAddresses(catalogue: Catalogue): string[] {
  return [...catalogue.nodes.values()].flatMap(({ roles, addresses, state }) =>
    roles.includes('meta') && addresses.meta !== null && state !== 'down' ? [addresses.meta] : [],
  );
}
