/**
 * Group commit: requests that are pending together become one write.
 * Always: at most one write is in flight; a request is never split; groups are taken in order of arrival; after the
 * first failed write every pending and later request is refused as 'poisoned'.
 */
import { assert } from '@quiver/model';
import { StorageError } from './storage-error.ts';
import type { Change } from './store.ts';

export interface GroupLimits {
  /** A group ends at whichever comes first; a larger single request is a group of its own. */
  readonly groupBytesMax: number;
  readonly groupChangesMax: number;
  /** Requests beyond this are refused as 'busy'. */
  readonly pendingBytesMax: number;
}

export const defaultGroupLimits: GroupLimits = {
  groupBytesMax: 4 << 20,
  groupChangesMax: 1_024,
  pendingBytesMax: 256 << 20,
};

export interface CommitLoop {
  /** @returns the number of the group that the request became part of */
  submit(changes: readonly Change[]): Promise<number>;
  /** Refuses new requests and resolves when what was pending is written or failed. */
  stop(): Promise<void>;
  /** From now on everything is refused; what is in flight resolves or fails by itself. */
  readonly poison: (cause: unknown) => void;
  readonly poisoned: boolean;
  /** @throws StorageError 'poisoned' or 'closed' */
  assertUsable(): void;
  readonly counts: { readonly commits: number; readonly changes: number; readonly bytes: number };
}

interface Request {
  readonly changes: readonly Change[];
  readonly bytes: number;
  readonly resolve: (group: number) => void;
  readonly reject: (error: StorageError) => void;
}

/**
 * @param write - makes a group durable and returns its number; a rejection poisons the loop
 * @param onPoison - called once, after the requests were refused
 */
export function createCommitLoop(
  write: (requests: readonly (readonly Change[])[]) => Promise<number>,
  limits: GroupLimits,
  onPoison: (error: StorageError) => void,
): CommitLoop {
  let pending: Request[] = [];
  let pendingBytes = 0;
  let taken = 0;
  let running: Promise<void> | undefined;
  let stopped = false;
  let poison: StorageError | undefined;
  const counts = { commits: 0, changes: 0, bytes: 0 };

  function takeGroup(): Request[] {
    let bytes = 0;
    let changes = 0;
    const from = taken;
    while (taken < pending.length) {
      const request = pending[taken]!;
      const full =
        bytes + request.bytes > limits.groupBytesMax ||
        changes + request.changes.length > limits.groupChangesMax;
      if (full && taken > from) break;
      bytes += request.bytes;
      changes += request.changes.length;
      taken++;
    }
    const group = pending.slice(from, taken);
    if (taken === pending.length || taken > 4_096) {
      pending = pending.slice(taken);
      taken = 0;
    }
    pendingBytes -= bytes;
    counts.changes += changes;
    counts.bytes += bytes;
    return group;
  }

  function setPoison(cause: unknown): void {
    if (poison !== undefined) return;
    const text = cause instanceof Error ? (messageOf(cause.cause) ?? cause.message) : String(cause);
    poison = new StorageError(
      'poisoned',
      `a write failed (${text}); the volume accepts nothing until it is opened again`,
      { cause },
    );
    const waiting = pending.slice(taken);
    pending = [];
    taken = 0;
    pendingBytes = 0;
    for (const request of waiting) request.reject(poison);
    onPoison(poison);
  }

  async function run(): Promise<void> {
    // One turn of the microtask queue: requests made by the same task join the first group.
    await Promise.resolve();
    while (taken < pending.length) {
      const group = takeGroup();
      try {
        const number = await write(group.map((request) => request.changes));
        counts.commits++;
        for (const request of group) request.resolve(number);
      } catch (cause) {
        setPoison(cause);
        assert(poison !== undefined, 'the loop is poisoned after a failed write');
        for (const request of group) request.reject(poison);
      }
    }
    running = undefined;
  }

  function assertUsable(): void {
    if (poison !== undefined) throw poison;
    if (stopped) throw new StorageError('closed', 'the volume is closed');
  }

  return {
    submit(changes) {
      return new Promise<number>((resolve, reject) => {
        assertUsable();
        const bytes = bytesOf(changes);
        if (pendingBytes > 0 && pendingBytes + bytes > limits.pendingBytesMax)
          throw new StorageError(
            'busy',
            `${pendingBytes} bytes wait to be committed, at most ${limits.pendingBytesMax} may`,
          );
        pending.push({ changes, bytes, resolve, reject });
        pendingBytes += bytes;
        running ??= run();
      });
    },
    async stop() {
      stopped = true;
      await running;
    },
    poison: setPoison,
    get poisoned() {
      return poison !== undefined;
    },
    assertUsable,
    counts,
  };
}

function bytesOf(changes: readonly Change[]): number {
  let bytes = 0;
  for (const change of changes)
    bytes += change.key.length + (change.kind === 'put' ? change.value.length + (change.tail?.length ?? 0) : 0);
  return bytes;
}

function messageOf(error: unknown): string | undefined {
  return error instanceof Error ? error.message : undefined;
}
