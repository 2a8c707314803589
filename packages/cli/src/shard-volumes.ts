/**
 * The volumes of a process that holds replicas: points in `data`, built segments in `segments`. Always: a volume that lost
 * what it had confirmed is not served from. In a cluster it is set aside and the process joins as a new node, which gets its
 * replicas from others; alone, a person must decide. Segments are only made of points, and are made again.
 */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Env } from '@quiver/env';
import { ClusterError, type NodeId } from '@quiver/model';
import { openNodeIdentity } from '@quiver/shard';
import {
  blobFilesDir,
  openLevelBlobStore,
  openLevelStore,
  StorageError,
  type BlobStore,
  type LevelStoreOptions,
  type Store,
} from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { Watermarks } from './volume-options.ts';

export interface ShardVolumes {
  readonly nodeId: NodeId;
  readonly store: Store;
  readonly blobs: BlobStore;
  /** Where other threads open files of the blob store. */
  readonly filesDir: string;
}

export interface ShardVolumesOptions {
  /** Of the process. */
  readonly folder: string;
  readonly watermarks: Watermarks;
  /** Of the volume of points. */
  readonly engine: NonNullable<LevelStoreOptions['engine']>;
  /** Other nodes may have what this one lost. */
  readonly isOfCluster: boolean;
  readonly env: Env;
  readonly log: Log;
  readonly onPoison: (error: Error) => void;
}

export async function openShardVolumes(options: ShardVolumesOptions): Promise<ShardVolumes> {
  const { folder, env, log, onPoison, watermarks, isOfCluster } = options;
  const startedMs = env.now();
  const { store, nodeId } = await openOr(
    () => openData(options),
    isOfCluster,
    (error) => {
      const aside = setAside(folder, ['data', 'segments'], env);
      log.error(
        'the data volume lost points: it is set aside, this process joins as a new node; when all is in sync again, delete it',
        { aside, error },
      );
    },
  );
  const blobs = await openOr(
    () => openLevelBlobStore(join(folder, 'segments'), { onPoison, watermarks }, env),
    true,
    (error) => {
      const aside = setAside(folder, ['segments'], env);
      log.error('the segments are damaged: they are set aside and built again; delete them', {
        aside,
        error,
      });
    },
  );
  log.info('the data volume is open', {
    node: nodeId,
    storage: folder,
    took_ms: Math.round(env.now() - startedMs),
  });
  return { nodeId, store, blobs, filesDir: blobFilesDir(join(folder, 'segments')) };
}

async function openData({
  folder,
  watermarks,
  engine,
  env,
  onPoison,
}: ShardVolumesOptions): Promise<{ store: Store; nodeId: NodeId }> {
  const store = await openLevelStore(join(folder, 'data'), { onPoison, watermarks, engine }, env);
  try {
    return { store, nodeId: await openNodeIdentity(store, env) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openOr<T>(
  open: () => Promise<T>,
  mayReplace: boolean,
  replace: (error: Error) => void,
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!mayReplace || !isLost(error)) throw error;
    replace(error);
    return open();
  }
}

/** Bytes that were durable are gone or are others: no later open finds them. */
export function isLost(error: unknown): error is Error {
  return (
    (error instanceof StorageError && (error.code === 'corruption' || error.code === 'data_loss')) ||
    (error instanceof ClusterError && error.code === 'corruption')
  );
}

/** @returns where they are now */
export function setAside(folder: string, volumes: readonly string[], env: Env): string[] {
  const ending = `.lost-${Math.floor(env.wallNow())}`;
  const moved: string[] = [];
  for (const volume of volumes) {
    const from = join(folder, volume);
    try {
      renameSync(from, from + ending);
      moved.push(from + ending);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return moved;
}
