/**
 * Several shard nodes in one process, for tests: inline ports, simulated disks, a network and a metadata store that obey
 * the test, one clock that the test drives. Always: what a killed node had not synced is gone.
 */
import { createVirtualEnv, type VirtualEnv } from '@quiver/env/testing';
import { ArenaDirectory } from '@quiver/kernel';
import {
  primaryOf,
  shardOf,
  type CollectionRecord,
  type NodeId,
  type PointId,
  type PointsOperation,
  type ShardRecord,
} from '@quiver/model';
import type { ReadConsistency } from '@quiver/rpc';
import { createMemoryBlobStore, type BlobStore, type Volume } from '@quiver/storage';
import { createFaultyDisk, createFaultyStore, type FaultyDisk } from '@quiver/storage/testing';
import { createLog, type Log } from '@quiver/telemetry';
import { createBuilder } from '../build/builder.ts';
import type { Manifest } from '../control/manifest.ts';
import { decodeJson, keys } from '../control/records.ts';
import { createShardControl } from '../control/shard-control.ts';
import { openInlineChannel } from '../inline-port.ts';
import type { ShardControl, ShardServe } from '../node.ts';
import type { FromBuild, ToBuild, ToControl, ToServe } from '../protocol.ts';
import { createShardServe } from '../serve/shard-serve.ts';
import { createSharedState } from '../shared-state.ts';
import { FakeMeta } from './fake-meta.ts';
import { NodePauses } from './node-pauses.ts';

export interface TestNode {
  readonly id: NodeId;
  readonly disk: FaultyDisk;
  readonly blobs: BlobStore;
  running: {
    readonly control: ShardControl;
    readonly serve: ShardServe;
    readonly store: Volume;
  } | null;
}

const nodeThreads = 3;

export class NodeCluster {
  readonly env: VirtualEnv;
  readonly meta = new FakeMeta();
  readonly nodes = new Map<NodeId, TestNode>();
  readonly #log: Log;
  /** "from>to" of links that drop everything. */
  readonly #cuts = new Set<string>();
  /** Bytes that reached the link, by "from>to". */
  readonly sentBytes = new Map<string, number>();
  /** Of nodes that are started from now on; 0: no limit. */
  copyBytesPerSecond = 0;
  unindexedBytesMax = 0;
  /** null: as it is. */
  servingLeaseMs: number | null = null;
  /** Nodes whose disks are full. */
  readonly full = new Set<NodeId>();
  /** Free fraction of the disks of the others; 1 where nothing is said. */
  readonly freeFraction = new Map<NodeId, number>();
  /** Of segments, of each node that is started from now on. */
  budgetBytes = 2 ** 28;
  readonly #pauses = new NodePauses();
  /** Frames that get lost. */
  dropFrames: (frame: Uint8Array) => boolean = () => false;
  /** The node of each merge that was begun. */
  readonly builds: NodeId[] = [];
  #keys = 0;
  readonly logged: string[] = [];

  constructor(seed: number) {
    this.env = createVirtualEnv({ seed });
    const level = process.env['QUIVER_TEST_LOG'] === undefined ? 'warn' : 'info';
    this.#log = createLog({
      level,
      format: 'json',
      write: (line) => {
        this.logged.push(line);
        if (level === 'info') process.stderr.write(line);
      },
    });
  }

  async addNode(id: NodeId): Promise<void> {
    this.nodes.set(id, { id, disk: createFaultyDisk(), blobs: createMemoryBlobStore(), running: null });
    await this.start(id);
  }

  node(id: NodeId): TestNode {
    return this.nodes.get(id)!;
  }

  control(id: NodeId): ShardControl {
    return this.node(id).running!.control;
  }

  async start(id: NodeId): Promise<void> {
    const node = this.node(id);
    const { meta } = this;
    const env = this.#pauses.envOf(id, this.env);
    const shared = createSharedState(nodeThreads);
    const diskBytes = 1 << 30;
    const free = (): number => (this.full.has(id) ? 0 : (this.freeFraction.get(id) ?? 1));
    const measure = (): Promise<{ freeBytes: number; totalBytes: number }> =>
      Promise.resolve({ freeBytes: free() * diskBytes, totalBytes: diskBytes });
    const store = await createFaultyStore(node.disk, { measure }, env);
    const control = await createShardControl({
      nodeId: id,
      store,
      blobs: node.blobs,
      shared,
      threads: nodeThreads,
      budgetBytes: this.budgetBytes,
      copyBytesPerSecond: this.copyBytesPerSecond,
      fetchesSegments: true,
      scrubBytesPerSecond: 20 << 20,
      ...(this.servingLeaseMs === null ? {} : { servingLeaseMs: this.servingLeaseMs }),
      unindexedBytesMax: this.unindexedBytesMax,
      links: { send: (to, bytes) => this.#send(id, to, bytes) },
      meta: {
        propose: (command) => meta.propose(id, command),
        linearizableShard: (uuid, shardId) =>
          meta.away.has(id)
            ? Promise.reject(new Error('meta is away'))
            : Promise.resolve(meta.shard(uuid, shardId)),
      },
      env,
      log: this.#log.with({ node: id }),
    });
    const [serveNear, serveFar] = openInlineChannel<ToControl, ToServe>();
    const serve = createShardServe({
      nodeId: id,
      directory: new ArenaDirectory(1, node.blobs.files),
      port: serveFar,
      shared,
      recallTimeShare: 0.5,
      env,
      log: this.#log,
    });
    control.attachServe(serveNear);
    const [buildNear, buildFar] = openInlineChannel<FromBuild, ToBuild>();
    const buildDirectory = new ArenaDirectory(2, node.blobs.files);
    createBuilder({ directory: buildDirectory, port: buildFar, env });
    control.attachBuild({
      ...buildNear,
      post: (message) => {
        if (message.kind === 'build') this.builds.push(id);
        buildNear.post(message);
      },
    });
    node.running = { control, serve, store };
    meta.subscribe(id, async (catalogue) => {
      await new Promise<void>((resolve) => this.#pauses.unlessPaused(id, resolve));
      try {
        await control.applyCatalogue(catalogue);
      } catch (error) {
        // A killed node fails in whatever it was doing.
        if (node.running?.control === control) throw error;
      }
    });
    await this.env.settle();
  }

  /** As by SIGKILL and a power cut: what was not synced is gone. */
  async kill(id: NodeId): Promise<void> {
    const node = this.node(id);
    const { control } = node.running!;
    node.running = null;
    this.meta.unsubscribe(id);
    node.disk.crash();
    await control.close();
    for (const other of this.nodes.values()) other.running?.control.onBroken(id);
    await this.env.settle();
  }

  /** As by SIGSTOP: nothing of it runs, what comes for it waits. */
  pause(id: NodeId): void {
    this.#pauses.pause(id);
  }

  /** Resolves when all that waited has run. @param first - runs before anything of that */
  async resume(id: NodeId, first: () => void = () => undefined): Promise<void> {
    this.#pauses.resume(id, first);
    await this.env.settle();
  }

  cut(a: NodeId, b: NodeId): void {
    this.#cuts.add(`${a}>${b}`).add(`${b}>${a}`);
  }

  heal(): void {
    this.#cuts.clear();
    this.meta.away.clear();
    this.meta.deliver();
  }

  #send(from: NodeId, to: NodeId, bytes: Uint8Array): boolean {
    const link = `${from}>${to}`;
    if (this.dropFrames(bytes)) return true;
    if (this.#cuts.has(link) || this.nodes.get(to)?.running == null) return false;
    this.sentBytes.set(link, (this.sentBytes.get(link) ?? 0) + bytes.length);
    const copy = Uint8Array.from(bytes);
    this.env.after(1, () => {
      if (this.#cuts.has(link)) return;
      this.#pauses.unlessPaused(to, () => this.nodes.get(to)?.running?.control.receive(from, copy));
    });
    return true;
  }

  /** Lets the clock run until `isSo`. @throws when it is not within `limitMs` */
  async until(what: string, isSo: () => boolean, limitMs = 30_000): Promise<void> {
    for (let waitedMs = 0; !isSo(); waitedMs += 10) {
      if (waitedMs >= limitMs)
        throw new Error(`${what}: not within ${limitMs} ms\n${this.logged.slice(-20).join('')}`);
      await this.env.advance(10);
    }
  }

  /** Runs the clock beside what is awaited. */
  async run<T>(work: Promise<T>, limitMs = 30_000): Promise<T> {
    let isDone = false;
    const watched = work.finally(() => {
      isDone = true;
    });
    watched.catch(() => undefined);
    await this.until('a call', () => isDone, limitMs);
    return watched;
  }

  /** Parts of segments that a replica fetched and does not use yet. */
  fetched(node: NodeId, replica: number): number {
    const stored = this.node(node).running?.store.getSync(keys.fetched(replica));
    return stored === undefined ? 0 : (decodeJson(stored) as { blobs: unknown[] }).blobs.length;
  }

  /** Saved segments of a replica. */
  manifest(node: NodeId, replica: number): Manifest | null {
    const stored = this.node(node).running?.store.getSync(keys.manifest(replica));
    return stored === undefined ? null : (decodeJson(stored) as Manifest);
  }

  collection(name: string): CollectionRecord {
    return this.meta.catalogue.collections.get(name)!;
  }

  shard(name: string, shardId = 0): ShardRecord {
    return shardOf(this.collection(name), shardId)!;
  }

  /** At the primary, as a router would: again with the same key when the route is stale. @returns the seq */
  async write(name: string, operation: PointsOperation, options: WriteOptions = {}): Promise<number> {
    const { shardId = 0, timeoutMs = 20_000 } = options;
    this.#keys += 1;
    const operationKey = options.operationKey ?? this.#keys.toString(16).padStart(32, '0');
    const deadlineMs = this.env.now() + timeoutMs;
    for (;;) {
      const collection = this.collection(name);
      const node = options.node ?? primaryOf(shardOf(collection, shardId)!)?.nodeId;
      const serve = node === undefined ? undefined : this.nodes.get(node)?.running?.serve;
      if (serve !== undefined) {
        const writes = [{ shardId, operation: copyOf(operation), operationKey }];
        const [outcome] = await this.run(serve.writes.write(collection, writes, { deadlineMs }));
        if (outcome!.ok) return outcome!.operationId;
        const { code, message } = outcome!.failure;
        const isRetried = code === 'stale_route' || code === 'unavailable';
        if (!isRetried || options.node !== undefined)
          throw Object.assign(new Error(`${code}: ${message}`), { code });
      }
      if (this.env.now() >= deadlineMs) throw new Error('no primary took the write');
      await this.env.advance(50);
    }
  }

  /** Everything one node shows of a shard: id, payload and vector of each point, in id order. */
  async contents(
    node: NodeId,
    name: string,
    options: { readonly shardId?: number; readonly consistency?: ReadConsistency } = {},
  ): Promise<string[]> {
    const { shardId = 0, consistency = { kind: 'any' } } = options;
    const collection = this.collection(name);
    const page = await this.run(
      this.node(node).running!.serve.reads.scroll(
        { collection, shardIds: [shardId] },
        {
          offset: null,
          limit: 1_000_000,
          filter: null,
          orderBy: null,
          withPayload: { kind: 'all' },
          withVector: { kind: 'all' },
        },
        { deadlineMs: this.env.now() + 10_000, consistency },
      ),
    );
    return page.points.map(({ id, payload, vectors, version }) => {
      const values = [...vectors!].map(
        ([vectorName, { values: floats }]) => `${vectorName}:${[...floats].join()}`,
      );
      return `${id}@${version} ${Buffer.from(payload!).toString()} ${values.join(' ')}`;
    });
  }

  async close(): Promise<void> {
    for (const node of this.nodes.values()) {
      this.meta.unsubscribe(node.id);
      await node.running?.control.close();
    }
  }
}

interface WriteOptions {
  readonly shardId?: number;
  readonly timeoutMs?: number;
  readonly operationKey?: string;
  /** Asked once, whatever it answers. */
  readonly node?: NodeId;
}

/** Buffers move to the control thread: each attempt has its own. */
function copyOf(operation: PointsOperation): PointsOperation {
  return structuredClone(operation);
}

/** Points of `dim` floats made of id and `round`, with a payload that says so. */
export function upsertOf(ids: readonly PointId[], dim: number, round: number): PointsOperation {
  const values = new Float32Array(ids.length * dim);
  for (let i = 0; i < values.length; i += 1)
    values[i] = (Number(ids[Math.floor(i / dim)]) % 1_000) + round + (i % dim) / 8;
  const payloads = ids.map((id) => Buffer.from(`{"n":${Number(id) % 7},"round":${round}}`));
  let at = 0;
  const ends = payloads.map(({ length }) => (at += length));
  return {
    kind: 'upsert',
    mode: 'upsert',
    updateFilter: null,
    points: {
      ids,
      vectors: new Map([['', { kind: 'dense', dim, values, present: null }]]),
      payloads: { bytes: new Uint8Array(Buffer.concat(payloads)), offsets: Uint32Array.from([0, ...ends]) },
    },
  };
}

export function deletionOf(ids: readonly PointId[]): PointsOperation {
  return { kind: 'delete', target: { kind: 'ids', ids: [...ids] } };
}

/** One shard with a replica on each node, all in sync, the first one leading. */
export function collectionOn(
  name: string,
  nodes: readonly NodeId[],
  { dim = 4, firstReplica = 1, minInSync = 1 } = {},
): CollectionRecord {
  const replicas = nodes.map((nodeId, i) => ({ replica: firstReplica + i, nodeId }));
  const inSync = replicas.map(({ replica }) => replica);
  return {
    name,
    uuid: `00000000-0000-4000-8000-${firstReplica.toString(16).padStart(12, '0')}`,
    payloadSchema: {},
    transfers: [],
    resharding: null,
    shards: [
      {
        shardId: 0,
        shardKey: null,
        slots: [[0, 16_384]],
        replicas,
        inSync,
        primary: inSync[0]!,
        term: 1,
        cfgVersion: 1,
      },
    ],
    config: {
      params: {
        vectors: { size: dim, distance: 'Euclid' },
        shard_number: 1,
        replication_factor: nodes.length,
        write_consistency_factor: minInSync,
        on_disk_payload: true,
      },
      hnsw_config: { m: 16, ef_construct: 100, full_scan_threshold: 10_000, max_indexing_threads: 0 },
      optimizer_config: {
        deleted_threshold: 0.2,
        vacuum_min_vector_number: 1_000,
        default_segment_number: 0,
        flush_interval_sec: 5,
        indexing_threshold: 10_000,
      },
      wal_config: { wal_capacity_mb: 32, wal_segments_ahead: 0 },
      quantization_config: null,
    },
  } as unknown as CollectionRecord;
}
