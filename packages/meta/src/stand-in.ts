/**
 * Other members in the place of this one while its own volume takes no writes (a full disk): nothing is applied here then,
 * so the catalogue is followed at another member, and proposals and linearizable reads go there. Always: the process sees
 * committed states only, in order; when the volume takes writes again, its own state has to come past what was seen before
 * it shows again.
 */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import { decodePlain, encodePlain, peerPaths, type PeerCaller } from '@quiver/rpc';
import type { Log } from '@quiver/telemetry';
import type { CatalogueFeed } from './catalogue-feed.ts';
import { followCatalogue, type CatalogueFollower } from './catalogue-follower.ts';
import type { ProposeAnswer, ProposeRequest } from './proposal.ts';

export interface StandInOptions {
  readonly feed: CatalogueFeed;
  readonly caller: Pick<PeerCaller, 'call' | 'watch'>;
  readonly env: Env;
  readonly log: Log;
  /** Of the other members, best first. */
  readonly candidates: () => readonly string[];
}

export interface StandIn {
  readonly isNeeded: boolean;
  setNeeded(isNeeded: boolean): void;
  /** One attempt. @throws ClusterError unavailable, deadline_exceeded: it may be tried again */
  propose(request: ProposeRequest, deadlineMs: number): Promise<ProposeAnswer>;
  /** As `propose`. Resolves when the catalogue here shows all that was committed before the call. */
  readIndex(deadlineMs: number): Promise<void>;
  close(): void;
}

export function createStandIn({ feed, caller, env, log, candidates }: StandInOptions): StandIn {
  let follower: CatalogueFollower | null = null;
  let turn = 0;

  async function ask(path: string, request: unknown, deadlineMs: number): Promise<unknown> {
    const all = candidates();
    const address = all[(turn += 1) % Math.max(1, all.length)];
    if (address === undefined)
      throw new ClusterError('unavailable', 'no other member of the metadata store is known');
    return decodePlain(await caller.call(address, path, encodePlain(request), { deadlineMs }));
  }

  function stop(): void {
    follower?.stop();
    follower = null;
  }

  return {
    get isNeeded() {
      return follower !== null;
    },
    setNeeded(isNeeded) {
      if (isNeeded === (follower !== null)) return;
      log.warn(
        isNeeded
          ? 'the metadata volume is full: other members are asked until it is not'
          : 'the metadata volume takes writes again',
      );
      if (isNeeded) follower = followCatalogue({ feed, caller, env, log, candidates });
      else stop();
    },
    propose: async (request, deadlineMs) =>
      (await ask(peerPaths.meta.propose, request, deadlineMs)) as ProposeAnswer,
    async readIndex(deadlineMs) {
      const { revision } = (await ask(peerPaths.meta.read, {}, deadlineMs)) as { revision: number };
      await feed.reached(revision, deadlineMs);
    },
    close: stop,
  };
}
