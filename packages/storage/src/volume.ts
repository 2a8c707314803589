/**
 * A store over an engine: checksums, the commit ring, the tail anchor, watermarks and fail-stop.
 * Always: the ring record of a group is the last write of that group's batch; the anchor names a group only after it
 * is durable and falls at most half a ring behind; after a failed write nothing is read or written any more.
 */
import { crc32 } from 'node:zlib';
import { assert } from '@quiver/model';
import type { Env } from '@quiver/env';
import { isWhole, openValue, trailerBytes } from './checksum.ts';
import { createCommitLoop, type GroupLimits } from './commit-loop.ts';
import {
  chainOf,
  encodeRingBase,
  encodeRingRecord,
  readRing,
  readRingBase,
  ringKey,
  ringSlots,
  systemPrefix,
  baseKey,
} from './commit-ring.ts';
import type { Engine, EngineWrite, Entry } from './engine.ts';
import { watchSpace, type Space, type Watermarks } from './free-space.ts';
import { StorageError } from './storage-error.ts';
import type { Change, CheckedPage, ReadRange, Store } from './store.ts';
import type { Anchor, AnchorPlace } from './tail-anchor.ts';
import { judge, type Verdict } from './volume-check.ts';

export interface VolumeOptions {
  readonly limits: GroupLimits;
  readonly watermarks: Watermarks;
  readonly measure: () => Promise<Space>;
  /** Goes on after a loss that the owner knows of and has decided about: the ring starts anew behind it. */
  readonly acceptLoss: boolean;
  /** The newest group that raw log bytes mention, 0 for none. */
  readonly groupInLog: number;
  /** Called once when a write failed; the owner ends the process with `poisonedExitCode`. */
  readonly onPoison: (error: StorageError) => void;
}

/** What the open found, for the owner's log. */
export interface Opened {
  readonly fresh: boolean;
  /** The last run closed the volume. */
  readonly clean: boolean;
  /** 'missing' and 'corrupt' leave the ring as the only witness. */
  readonly anchor: 'present' | 'missing' | 'corrupt';
  readonly groupsVerified: number;
  /** A loss that was there and was accepted. */
  readonly loss: StorageError['loss'];
}

export interface Volume extends Store {
  readonly volumeId: string;
  readonly opened: Opened;
  /** The newest durable group. */
  readonly lastGroup: number;
}

const anchorEveryMs = 1_000;
const deleteBatchKeys = 1_024;
const deletePauseMs = 5;
/** A range delete of at least this many keys rewrites its tables, so that the disk gets the space back. */
const compactRunKeys = 8 * deleteBatchKeys;
const systemEnd = Uint8Array.of(systemPrefix);

/**
 * Verifies and opens. Closes the engine when it throws.
 * @throws StorageError 'data_loss' with `loss`, 'corruption', or what the engine throws
 */
export async function openVolume(
  engine: Engine,
  place: AnchorPlace,
  options: VolumeOptions,
  env: Env,
): Promise<Volume> {
  try {
    const start = await verify(engine, place, options, env);
    const space = await watchSpace(options.measure, options.watermarks, env);
    return runVolume(engine, place, options, env, start, space);
  } catch (cause) {
    await engine.close();
    if (cause instanceof StorageError) throw cause;
    throw new StorageError('unavailable', `the volume cannot be opened: ${textOf(cause)}`, { cause });
  }
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

interface Start {
  readonly verdict: Verdict;
  readonly volumeId: string;
  readonly opened: Opened;
  readonly lastGroup: number;
  readonly lastChain: number;
}

async function verify(
  engine: Engine,
  place: AnchorPlace,
  options: VolumeOptions,
  env: Env,
): Promise<Start> {
  let anchor: Anchor | undefined;
  let anchorState: Opened['anchor'] = 'present';
  try {
    anchor = await place.read();
    if (anchor === undefined) anchorState = 'missing';
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'corruption') throw error;
    anchorState = 'corrupt';
  }
  const [base, records] = [await readRingBase(engine), await readRing(engine)];
  const verdict = judge({ base, records, anchor, groupInLog: options.groupInLog });
  const { loss } = verdict;
  if (loss !== undefined && !options.acceptLoss) {
    // Opening LevelDB has consumed the log that may be the only witness of a lost tail: the anchor takes it over, so
    // that the next open finds the loss as well.
    const id = base?.volumeId ?? anchor?.volumeId;
    if (loss.kind === 'tail' && id !== undefined)
      await place.write({ volumeId: id, lastGroup: loss.witnessedGroup, chain: 0, clean: false });
    throw new StorageError(
      'data_loss',
      `acknowledged commit groups are gone (${loss.kind}: ${loss.missing.map(([a, b]) => `${a}-${b}`).join(', ')}; ` +
        `last found ${loss.lastGroup}, last witnessed ${loss.witnessedGroup})`,
      { loss },
    );
  }
  const volumeId = base?.volumeId ?? anchor?.volumeId ?? env.uuid().replaceAll('-', '');
  let lastGroup = verdict.lastGroup;
  if (loss !== undefined) lastGroup = verdict.witnessedGroup;
  // The anchor first: a volume with a base record always has a witness beside it.
  await place.write({ volumeId, lastGroup, chain: verdict.lastChain, clean: false });
  if (verdict.fresh || loss !== undefined || base === undefined) {
    const value = encodeRingBase({ baseGroup: lastGroup + 1, baseChain: verdict.lastChain, volumeId });
    const writes: EngineWrite[] = records.map(({ group }) => ({ kind: 'delete', key: ringKey(group) }));
    await engine.write([...writes, { kind: 'put', key: baseKey, value }]);
  }
  return {
    verdict,
    volumeId,
    lastGroup,
    lastChain: verdict.lastChain,
    opened: {
      fresh: verdict.fresh,
      clean: anchor?.clean ?? false,
      anchor: anchorState,
      groupsVerified: records.length,
      loss,
    },
  };
}

function runVolume(
  engine: Engine,
  place: AnchorPlace,
  options: VolumeOptions,
  env: Env,
  start: Start,
  space: Awaited<ReturnType<typeof watchSpace>>,
): Volume {
  const { volumeId } = start;
  let lastGroup = start.lastGroup;
  let lastChain = start.lastChain;
  let anchoredGroup = lastGroup;
  let anchoring: Promise<void> = Promise.resolve();
  let anchorTimer: (() => void) | undefined;
  let closing: Promise<void> | undefined;
  let compacting: Promise<void> = Promise.resolve();
  let scratch = Buffer.allocUnsafe(1 << 16);

  const loop = createCommitLoop(writeGroup, options.limits, (error) => {
    anchorTimer?.();
    space.stop();
    options.onPoison(error);
  });

  /** Anchors are written one after another; each names the newest group that is durable when its turn comes. */
  function anchorNow(clean: boolean): Promise<void> {
    anchoring = anchoring.then(async () => {
      const [group, chain] = [lastGroup, lastChain];
      await place.write({ volumeId, lastGroup: group, chain, clean });
      anchoredGroup = group;
    });
    return anchoring;
  }

  function anchorLater(): void {
    anchorTimer ??= env.after(anchorEveryMs, () => {
      anchorTimer = undefined;
      anchorNow(false).then(() => {
        if (anchoredGroup < lastGroup && !loop.poisoned && closing === undefined) anchorLater();
      }, loop.poison);
    });
  }

  async function writeGroup(requests: readonly (readonly Change[])[]): Promise<number> {
    const group = lastGroup + 1;
    if (group - anchoredGroup >= ringSlots / 2) await anchorNow(false);
    const sealed = sealGroup(requests);
    const chain = chainOf(lastChain, sealed.digest);
    const { changes, digest } = sealed;
    const record = encodeRingRecord({ group, changes, digest, chain });
    sealed.writes.push({ kind: 'put', key: ringKey(group), value: record });
    await engine.write(sealed.writes);
    lastGroup = group;
    lastChain = chain;
    space.noteWritten(sealed.bytes);
    anchorLater();
    return group;
  }

  /** Packs key and value of each put side by side, so that one CRC call covers both, and the trailer behind them. */
  function sealGroup(requests: readonly (readonly Change[])[]): {
    writes: EngineWrite[];
    changes: number;
    digest: number;
    bytes: number;
  } {
    let bytes = 0;
    let changes = 0;
    for (const request of requests) {
      changes += request.length;
      for (const change of request)
        if (change.kind === 'put')
          bytes +=
            change.key.length + change.value.length + (change.tail === undefined ? 0 : change.tail.length) + trailerBytes;
    }
    if (scratch.length < bytes) scratch = Buffer.allocUnsafe(Math.max(bytes, scratch.length * 2));
    const writes: EngineWrite[] = [];
    const digests = Buffer.allocUnsafe(changes * 4);
    let at = 0;
    let index = 0;
    for (const request of requests) {
      for (const change of request) {
        const { key } = change;
        let digest: number;
        if (change.kind === 'put') {
          scratch.set(key, at);
          const valueAt = at + key.length;
          scratch.set(change.value, valueAt);
          let trailerAt = valueAt + change.value.length;
          if (change.tail !== undefined) {
            scratch.set(change.tail, trailerAt);
            trailerAt += change.tail.length;
          }
          digest = crc32(scratch.subarray(at, trailerAt));
          at = scratch.writeUInt32LE(digest, trailerAt);
          writes.push({ kind: 'put', key, value: scratch.subarray(valueAt, at) });
        } else {
          // Complemented, so that deleting a key and putting an empty value there differ.
          digest = ~crc32(key) >>> 0;
          writes.push({ kind: 'delete', key });
        }
        index = digests.writeUInt32LE(digest, index);
      }
    }
    return { writes, changes, digest: crc32(digests), bytes };
  }

  async function* scanPages(
    range: ReadRange,
    source: Pick<Engine, 'pages'> = engine,
  ): AsyncGenerator<readonly Entry[], void, undefined> {
    loop.assertUsable();
    const to = Buffer.compare(range.to, systemEnd) > 0 ? systemEnd : range.to;
    for await (const page of source.pages({ ...range, to })) {
      loop.assertUsable();
      yield page.map(([key, stored]) => [key, openValue(key, stored)] as const);
    }
  }

  async function check(range: ReadRange): Promise<CheckedPage> {
    loop.assertUsable();
    let [entries, bytes] = [0, 0];
    const badKeys: Uint8Array[] = [];
    let lastKey: Uint8Array | null = null;
    for await (const page of engine.pages(range)) {
      for (const [key, stored] of page) {
        entries++;
        bytes += key.length + stored.length;
        if (!isWhole(key, stored)) badKeys.push(key);
        lastKey = key;
      }
      if (lastKey !== null) break;
    }
    return { entries, bytes, badKeys, lastKey };
  }

  async function deleteRange(from: Uint8Array, to: Uint8Array): Promise<void> {
    /** First keys of runs to compact: short ones, because closing has to wait for the one that is under way. */
    const bounds = [from];
    for (let deleted = 0; ; ) {
      loop.assertUsable();
      const keys: Uint8Array[] = [];
      for await (const page of engine.pages({ from, to, limit: deleteBatchKeys }))
        keys.push(...page.map(([key]) => key));
      if (keys.length === 0) break;
      space.admit(true);
      await loop.submit(keys.map((key) => ({ kind: 'delete', key })));
      deleted += keys.length;
      if (deleted % compactRunKeys === 0) bounds.push(keys.at(-1)!);
      if (keys.length < deleteBatchKeys) break;
      await new Promise<void>((resolve) => env.after(deletePauseMs, resolve));
    }
    // Tombstones alone free nothing, and after a watermark was met the space is what the deletion was for.
    if (bounds.length === 1) return;
    bounds.push(to);
    for (let i = 1; i < bounds.length; i++) await compactRun(bounds[i - 1]!, bounds[i]!);
  }

  /** A failure loses nothing: LevelDB comes by the range again by itself. */
  function compactRun(from: Uint8Array, to: Uint8Array): Promise<void> {
    compacting = compacting.then(async () => {
      if (closing === undefined && !loop.poisoned) await engine.compact(from, to).catch(() => undefined);
    });
    return compacting;
  }

  return {
    volumeId,
    opened: start.opened,
    get lastGroup() {
      return lastGroup;
    },
    async commit(changes, { essential = false } = {}) {
      for (const { key } of changes) {
        assert(key.length > 0, 'a key has 0 bytes');
        assert(key[0] !== systemPrefix, 'a key begins with 0xff, which is the volume’s own');
      }
      loop.assertUsable();
      space.admit(essential);
      return loop.submit(changes);
    },
    async get(key) {
      loop.assertUsable();
      const stored = await engine.get(key);
      return stored === undefined ? undefined : openValue(key, stored);
    },
    getSync(key) {
      loop.assertUsable();
      const stored = engine.getSync(key);
      return stored === undefined ? undefined : openValue(key, stored);
    },
    async *scan(range) {
      for await (const page of scanPages(range)) yield* page;
    },
    scanPages: (range) => scanPages(range),
    check,
    snapshot() {
      loop.assertUsable();
      const snapshot = engine.snapshot();
      return {
        async getMany(keys) {
          loop.assertUsable();
          const stored = await snapshot.getMany(keys);
          return stored.map((value, i) => (value === undefined ? undefined : openValue(keys[i]!, value)));
        },
        scanPages: (range) => scanPages(range, snapshot),
        close: () => snapshot.close(),
      };
    },
    assertRoom({ essential = false, spareFraction = 0 } = {}) {
      loop.assertUsable();
      space.admit(essential, spareFraction);
    },
    deleteRange: (from, to) => deleteRange(from, Buffer.compare(to, systemEnd) > 0 ? systemEnd : to),
    close() {
      closing ??= (async () => {
        await loop.stop();
        anchorTimer?.();
        space.stop();
        try {
          if (!loop.poisoned) await anchorNow(true);
        } catch (cause) {
          // Nothing is lost: the next open takes it for an unclean stop and verifies.
          throw new StorageError('unavailable', `the clean close cannot be noted: ${textOf(cause)}`, { cause });
        } finally {
          // LevelDB may not be closed under a compaction that somebody waits for.
          await compacting;
          await engine.close();
        }
      })();
      return closing;
    },
    get poisoned() {
      return loop.poisoned;
    },
    wasClosed: start.opened.clean && start.opened.loss === undefined,
    get stats() {
      return { ...loop.counts, freeFraction: space.freeFraction() };
    },
  };
}
