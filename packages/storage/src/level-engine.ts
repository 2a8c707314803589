/**
 * LevelDB as an engine; the only file that imports classic-level.
 * Every write is synced. Faults of LevelDB that this layer cannot see (dropped log records, writes lost after a failed
 * append) are what the volume above it checks for; level-faults.test.ts reproduces each of them.
 */
import { ClassicLevel } from 'classic-level';
import type { Engine, EngineRange, EngineWrite, Entry } from './engine.ts';
import { StorageError } from './storage-error.ts';

export interface LevelEngineOptions {
  /** Bytes LevelDB gathers in memory and in one log before it writes a table. */
  readonly writeBufferBytes: number;
  readonly tableFileBytes: number;
  /**
   * Tables that are open, at least 64. LevelDB maps them, and pages once read count as memory of the process until their table is closed:
   * at most this many times `tableFileBytes` (what a write buffer was written to is larger).
   */
  readonly openTablesMax: number;
  readonly blockCacheBytes: number;
  readonly blockBytes: number;
  /** Snappy. Off for vectors, which do not compress. */
  readonly compression: boolean;
}

/** Entries fetched by one call into LevelDB, and the bytes at which such a page ends early. */
const pageEntriesMax = 1_000;
const pageBytesMax = 1 << 20;

/** LevelDB takes them off what it is told. */
const otherOpenFiles = 10;

type Level = ClassicLevel<Uint8Array, Uint8Array>;

/** @throws StorageError 'locked', 'corruption' or 'unavailable' */
export async function openLevelEngine(dir: string, options: LevelEngineOptions): Promise<Engine> {
  const db: Level = new ClassicLevel(dir, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: options.writeBufferBytes,
    maxFileSize: options.tableFileBytes,
    maxOpenFiles: options.openTablesMax + otherOpenFiles,
    cacheSize: options.blockCacheBytes,
    blockSize: options.blockBytes,
    compression: options.compression,
  });
  try {
    await db.open();
  } catch (cause) {
    throw openFailure(dir, cause);
  }
  return {
    write: (writes) => writeAll(db, writes),
    async get(key) {
      try {
        return await db.get(key);
      } catch (cause) {
        throw readFailure(dir, cause);
      }
    },
    getSync(key) {
      try {
        return db.getSync(key);
      } catch (cause) {
        throw readFailure(dir, cause);
      }
    },
    pages: (range) => pages(dir, db, range),
    snapshot() {
      const snapshot = db.snapshot();
      return {
        async getMany(keys) {
          try {
            return await db.getMany([...keys], { snapshot });
          } catch (cause) {
            throw readFailure(dir, cause);
          }
        },
        pages: (range) => pages(dir, db, range, snapshot),
        close: () => snapshot.close(),
      };
    },
    compact: (from, to) => db.compactRange(from, to),
    close: () => db.close(),
  };
}

/** One by one into a batch of LevelDB's own: half the time of an array of operations, which are copied as objects on their way. */
async function writeAll(db: Level, writes: readonly EngineWrite[]): Promise<void> {
  const batch = db.batch();
  try {
    for (const write of writes)
      if (write.kind === 'put') batch.put(write.key, write.value);
      else batch.del(write.key);
  } catch (cause) {
    await batch.close();
    throw cause;
  }
  await batch.write({ sync: true });
}

async function* pages(
  dir: string,
  db: Level,
  range: EngineRange,
  snapshot?: ReturnType<Level['snapshot']>,
): AsyncGenerator<readonly Entry[], void, undefined> {
  const iterator = db.iterator({
    snapshot,
    gte: range.from,
    lt: range.to,
    reverse: range.reverse ?? false,
    limit: range.limit ?? -1,
    fillCache: false,
    highWaterMarkBytes: pageBytesMax,
  });
  try {
    for (;;) {
      const page = await iterator.nextv(pageEntriesMax).catch((cause: unknown) => {
        throw readFailure(dir, cause);
      });
      if (page.length === 0) return;
      yield page;
    }
  } finally {
    await iterator.close();
  }
}

function openFailure(dir: string, cause: unknown): StorageError {
  const { code, text } = described(cause);
  if (code === 'LEVEL_LOCKED')
    return new StorageError(
      'locked',
      `${dir} is in use: another process (a second server?) has it open; stop it or give this one another directory`,
      { cause },
    );
  const corrupt = isDamage(code, text) || /missing files/i.test(text);
  const advice = /no space left/i.test(text)
    ? '; free some of the disk and start again: what was acknowledged is there'
    : '';
  return new StorageError(
    corrupt ? 'corruption' : 'unavailable',
    `${dir} cannot be opened: ${text}${advice}`,
    { cause },
  );
}

function readFailure(dir: string, cause: unknown): StorageError {
  const { code, text } = described(cause);
  if (/NOT_OPEN/.test(code)) return new StorageError('closed', `${dir} is closed`, { cause });
  const corrupt = isDamage(code, text);
  return new StorageError(corrupt ? 'corruption' : 'unavailable', `${dir} cannot be read: ${text}`, { cause });
}

/** LevelDB reports a block that lies behind the end of its file as an I/O error: "000008.ldb: Invalid argument". */
function isDamage(code: string, text: string): boolean {
  return code === 'LEVEL_CORRUPTION' || /corruption/i.test(text) || /\.(ldb|sst): Invalid argument/.test(text);
}

/** What classic-level says: the code is on the error or on its cause. */
function described(error: unknown): { code: string; text: string } {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return {
    code: typeof inner === 'object' && inner !== null && 'code' in inner ? String(inner.code) : '',
    text: inner instanceof Error ? inner.message : String(inner),
  };
}
