/**
 * A member of the metadata store in this process: its volume, its port, its streams to the other members. Runs on the
 * meta thread of role `all`, and on the main thread of role `meta`.
 */
import { join } from 'node:path';
import type { Env } from '@quiver/env';
import { startMetaNode, type Founding, type MetaNode, type MetaSelf, type MetaSettings } from '@quiver/meta';
import type { NodeId } from '@quiver/model';
import { createPeerCaller, createPeerLinks, peerPaths, startPeerServer, type RpcServer } from '@quiver/rpc';
import { openLevelStore, smallEngineOptions, type Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import { isLost, setAside } from './shard-volumes.ts';
import type { Watermarks } from './volume-options.ts';

export interface MetaMemberOptions {
  /** Of the process; the volume is its folder `meta`. */
  readonly folder: string;
  readonly self: Omit<MetaSelf, 'id'> & { readonly id: NodeId | null };
  readonly founding: Founding;
  readonly settings: Partial<MetaSettings>;
  /** Where other members and nodes call; null: nobody does, this process is its own cluster. */
  readonly listen: { readonly host: string; readonly port: number } | null;
  readonly secret: string | null;
  /** Longest time given to a call of another member. */
  readonly callMsMax: number;
  readonly watermarks: Watermarks;
  readonly env: Env;
  readonly log: Log;
  readonly onPoison: (error: Error) => void;
}

export interface MetaMember {
  readonly meta: MetaNode;
  /** Gives the leadership away first, where somebody can take it. */
  stop(): Promise<void>;
}

/** Bytes of consensus messages that may wait for one member. */
const queueBytesMax = 32 << 20;

export async function startMetaMember(options: MetaMemberOptions): Promise<MetaMember> {
  const { env, log, listen, secret, callMsMax, self } = options;
  const caller = createPeerCaller({ nodeId: self.id ?? 0, secret, callMsMax }, env);
  const start = async (store: Store): Promise<MetaNode> =>
    startMetaNode({
      store,
      env,
      log,
      self,
      founding: options.founding,
      caller,
      openLinks: (addressOf) =>
        listen === null
          ? { send: () => false, close: () => undefined }
          : createPeerLinks({ caller, path: peerPaths.meta.messages, addressOf, env, queueBytesMax }),
      settings: options.settings,
      onFailure: (error) => options.onPoison(error instanceof Error ? error : new Error(String(error))),
    });
  const { store, meta } = await openOrReplace(options, start);
  let server: RpcServer | null = null;
  if (listen !== null)
    server = await startPeerServer({
      ...listen,
      reusePort: false,
      env,
      secret,
      ...meta.peer,
      onInternalError: (path, error) => log.error('a call of another node failed', { path, error }),
    });
  return {
    meta,
    async stop() {
      meta.handOverLeadership();
      await meta.close();
      await server?.stop(1_000);
      caller.close();
      await store.close();
    },
  };
}

/**
 * A volume that lost what it had confirmed must not vote again: it is set aside, and the process joins as a new member.
 * Only where there are others to join; alone, a person must decide.
 */
async function openOrReplace(
  options: MetaMemberOptions,
  start: (store: Store) => Promise<MetaNode>,
): Promise<{ store: Store; meta: MetaNode }> {
  const path = join(options.folder, 'meta');
  const open = async (): Promise<{ store: Store; meta: MetaNode }> => {
    const { watermarks, onPoison } = options;
    const store = await openLevelStore(
      path,
      { onPoison, watermarks, engine: smallEngineOptions },
      options.env,
    );
    try {
      return { store, meta: await start(store) };
    } catch (error) {
      await store.close();
      throw error;
    }
  };
  try {
    return await open();
  } catch (error) {
    if (!isLost(error) || options.founding.kind === 'alone') throw error;
    const aside = setAside(options.folder, ['meta'], options.env);
    options.log.error('the metadata volume lost data: it is set aside, this member joins anew', {
      aside,
      error,
    });
    return open();
  }
}
