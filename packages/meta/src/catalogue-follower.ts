/**
 * Keeps a catalogue up to date by watching a member, any one; when it falls silent or the connection breaks, another.
 * Always: the last catalogue stays while nobody answers; revisions never go back, except that another cluster's is never
 * taken at all.
 */
import type { Env } from '@quiver/env';
import { decodePlain, encodePlain, peerPaths, type PeerCaller } from '@quiver/rpc';
import type { Log } from '@quiver/telemetry';
import { applyCatalogueDelta, decodeCatalogue } from './catalogue-codec.ts';
import type { CatalogueFeed } from './catalogue-feed.ts';
import { markMs, type WatchMessage, type WatchRequest } from './watch-service.ts';

export interface FollowerOptions {
  readonly feed: CatalogueFeed;
  readonly caller: Pick<PeerCaller, 'watch'>;
  readonly env: Env;
  readonly log: Log;
  /** Members, best first. */
  readonly candidates: () => readonly string[];
}

const silenceMs = 3 * markMs;
const retryMsMin = 50;
const retryMsMax = 1_000;

export interface CatalogueFollower {
  readonly clusterId: string;
  /** The member that is watched, as long as it talks. */
  readonly connectedTo: string | null;
  stop(): void;
}

export function followCatalogue(options: FollowerOptions): CatalogueFollower {
  const { feed, caller, env, log } = options;
  let clusterId = '';
  let connectedTo: string | null = null;
  let isStopped = false;
  let next = 0;
  let delayMs = retryMsMin;
  let stopWatch: () => void = () => undefined;
  let pieces: Uint8Array[] = [];

  function connect(): void {
    if (isStopped) return;
    const candidates = options.candidates();
    const address = candidates[next % Math.max(1, candidates.length)];
    if (address === undefined) {
      env.after(retryMsMax, connect);
      return;
    }
    let isOver = false;
    let cancelSilence = env.after(silenceMs, () => lose('it is silent'));
    const lose = (why: string): void => {
      if (isOver) return;
      isOver = true;
      cancelSilence();
      stopWatch();
      if (connectedTo === address) connectedTo = null;
      if (isStopped) return;
      log.debug('the watch of the metadata ended', { address, why });
      next += 1;
      env.after(delayMs * (0.5 + env.random()), connect);
      delayMs = Math.min(retryMsMax, delayMs * 2);
    };
    pieces = [];
    const request: WatchRequest = { kind: 'catalogue', revision: feed.catalogue().revision, clusterId };
    stopWatch = caller.watch(address, peerPaths.meta.watch, encodePlain(request), {
      message(bytes) {
        if (isOver) return;
        cancelSilence();
        cancelSilence = env.after(silenceMs, () => lose('it is silent'));
        try {
          take(decodePlain(bytes) as WatchMessage);
          connectedTo = address;
          delayMs = retryMsMin;
        } catch (error) {
          lose(String(error));
        }
      },
      end: (error) => lose(error?.message ?? 'it was closed'),
    });
  }

  /** @throws when the message does not fit: the watch begins anew */
  function take(message: WatchMessage): void {
    switch (message.kind) {
      case 'mark':
        // A member that is not part of a cluster yet has nothing to say.
        if (message.clusterId === '') throw new Error('it belongs to no cluster');
        if (clusterId !== '' && clusterId !== message.clusterId)
          throw new Error(`it is of cluster ${message.clusterId}, this process of ${clusterId}`);
        clusterId = message.clusterId;
        return;
      case 'piece': {
        if (message.isFirst) pieces = [];
        pieces.push(message.bytes);
        if (!message.isLast) return;
        const catalogue = decodeCatalogue(Buffer.concat(pieces));
        pieces = [];
        // A member that is behind: what this process knows already is not taken back.
        if (catalogue.revision > feed.catalogue().revision) feed.publish(catalogue);
        else if (catalogue.revision < feed.catalogue().revision) throw new Error('it is behind');
        return;
      }
      case 'delta':
        feed.publish(applyCatalogueDelta(feed.catalogue(), message.bytes));
    }
  }

  connect();
  return {
    get clusterId() {
      return clusterId;
    },
    get connectedTo() {
      return connectedTo;
    },
    stop() {
      isStopped = true;
      stopWatch();
    },
  };
}
