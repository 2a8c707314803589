/**
 * Opens the replicas that a catalogue newly places on a node. Always: which rows stay in their files is planned over all that is saved
 * before any of it is loaded; what is wrong with one at the start ends the start, later the others go on and this one is opened when it
 * can be.
 */
import type { ArenaPool } from '@quiver/kernel';
import { StorageError } from '@quiver/storage';
import { HostedReplica, type HostedContext } from './hosted-replica.ts';
import { manifestsOf } from './manifest.ts';
import type { PlacedReplica } from './placed-replicas.ts';
import { holdTurns } from './replica-turns.ts';
import { placeKey, placeRows, type PlacedSegment, type RowPlacements } from './row-placement.ts';
import { StartScan } from './start-scan.ts';
import { coldVectorsOf } from './wanted-graphs.ts';

/** Of the memory that is free, what is loaded may take: the rest is for writes and builds. */
const loadedShareMax = 0.75;
const noVectors: ReadonlySet<string> = new Set();
/** Opened side by side: one waits for the disk while another works. */
const opensMax = 8;

export class ReplicaOpenings {
  readonly #context: HostedContext;
  /** Of the node, by number; each is here before it is open. */
  readonly #hosted: Map<number, HostedReplica>;
  #placements: RowPlacements = new Map();
  #isStarting = false;

  constructor(context: HostedContext, hosted: Map<number, HostedReplica>) {
    this.#context = context;
    this.#hosted = hosted;
  }

  /** A start loads what the disk holds. */
  get isStarting(): boolean {
    return this.#isStarting;
  }

  /** See `SearchContext`. */
  plannedCold(replica: number, segmentId: number): ReadonlySet<string> {
    return this.#placements.get(placeKey(replica, segmentId)) ?? noVectors;
  }

  /** @throws at a start what is wrong with one of them, but for a full or busy volume */
  async open(missing: readonly PlacedReplica[], isStart: boolean): Promise<void> {
    if (missing.length === 0) return;
    await this.#plan(missing);
    if (isStart) await this.#start(missing.toSorted((a, b) => a.number - b.number));
    else await this.#openInTurns(missing, null);
  }

  /** Of all that is saved, before any of it is loaded. */
  async #plan(missing: readonly PlacedReplica[]): Promise<void> {
    const { store, pool } = this.#context;
    const saved: PlacedSegment[] = [];
    for await (const [{ record, number }, { segments }] of manifestsOf(store, missing)) {
      const cold = coldVectorsOf(record);
      for (const { stored } of segments) saved.push({ replica: number, stored, cold });
    }
    this.#placements = placeRows(saved, loadedShareMax * unusedBytes(pool));
  }

  /** @param ordered - by number */
  async #start(ordered: readonly PlacedReplica[]): Promise<void> {
    const { store, env, log } = this.#context;
    const numbers = ordered.map(({ number }) => number);
    const scan = new StartScan(store, numbers);
    // Opening comes first: until it has ended nobody can write, which is what a new term and checks of the index are for.
    const resume = holdTurns(this.#context);
    const startedMs = env.now();
    this.#isStarting = true;
    try {
      await this.#openInTurns(ordered, scan);
    } finally {
      this.#isStarting = false;
      await scan.close();
      resume();
    }
    const points = numbers.reduce(
      (sum, number) => sum + (this.#hosted.get(number)?.search.replica?.points ?? 0),
      0,
    );
    const tookMs = Math.round(env.now() - startedMs);
    log.info('what this node holds is loaded', { replicas: ordered.length, points, took_ms: tookMs });
  }

  /** @param scan - of a start */
  async #openInTurns(missing: readonly PlacedReplica[], scan: StartScan | null): Promise<void> {
    const left = missing.values();
    const openers = Array.from({ length: opensMax }, async () => {
      for (const one of left) await this.#openOne(one, scan);
    });
    await Promise.all(openers);
  }

  async #openOne({ record, shard, number }: PlacedReplica, scan: StartScan | null): Promise<void> {
    const replica = new HostedReplica(this.#context, record, shard, number);
    this.#hosted.set(number, replica);
    try {
      await replica.open(await scan?.take(number));
    } catch (error) {
      if (scan !== null && !isRefusal(error)) throw error;
      replica.failed(error);
    }
  }
}

function unusedBytes(pool: ArenaPool): number {
  const { usedBytes, retiredBytes } = pool.stats();
  return pool.budgetBytes - usedBytes - retiredBytes;
}

/** A full or busy volume: nothing is wrong with what it holds. */
function isRefusal(error: unknown): boolean {
  return error instanceof StorageError && (error.code === 'insufficient_storage' || error.code === 'busy');
}
