/** The metadata store of a process that is its own cluster: the same consensus with one voter and no network. */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import type { Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { MetaSelf } from './meta.ts';
import { startMetaNode, type MetaNode, type MetaSettings } from './meta-node.ts';

export interface LoneMetaOptions {
  readonly store: Store;
  readonly env: Env;
  readonly log: Log;
  readonly self: MetaSelf;
  readonly settings?: Partial<MetaSettings>;
}

/** Resolves when it is registered. */
export async function createMeta(options: LoneMetaOptions): Promise<MetaNode> {
  const nobody = (address: string): ClusterError =>
    new ClusterError('unavailable', `this process has no connection to ${address}`);
  const node = await startMetaNode({
    ...options,
    founding: { kind: 'alone' },
    openLinks: () => ({ send: () => false, close: () => undefined }),
    caller: {
      call: (address) => Promise.reject(nobody(address)),
      watch(address, _path, _request, on) {
        on.end(nobody(address));
        return () => undefined;
      },
    },
    onFailure: (error) => options.log.error('the metadata store stopped', { error }),
  });
  await node.ready;
  return node;
}
