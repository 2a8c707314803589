/**
 * Entry of the child processes of level-faults.test.ts and of the power-loss tests: writes, meets a fault, and dies by
 * SIGKILL. Arguments: bare|volume, bits|limit|limit-reopen|rotate, directory; `rotate` crosses several log files, for
 * bare LevelDB without syncing any write but the last. The report (what was acknowledged) goes to report.json.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRealEnv } from '@quiver/env';
import { ClassicLevel } from 'classic-level';
import { openLevelStore } from '../level-store.ts';

const [kind, scenario, dir] = process.argv.slice(2) as ['bare' | 'volume', string, string];
const database = join(dir, 'db');
mkdirSync(database, { recursive: true });
const rotates = scenario === 'rotate';
const writeBufferSize = !rotates ? 4 << 20 : kind === 'bare' ? 16 << 20 : 1 << 20;

interface Writer {
  put(i: number, bytes: number, sync?: boolean): Promise<unknown>;
  reopen(): Promise<void>;
}

async function bareWriter(): Promise<Writer> {
  const open = async () => {
    const db = new ClassicLevel<string, Uint8Array>(database, { valueEncoding: 'view',
      writeBufferSize,
      compression: !rotates,
    });
    await db.open();
    return db;
  };
  let db = await open();
  return {
    put: (i, bytes, sync = true) =>
      db.batch([{ type: 'put', key: keyOf(i), value: new Uint8Array(bytes).fill(i) }], { sync }),
    async reopen() {
      await db.close();
      db = await open();
    },
  };
}

async function volumeWriter(): Promise<Writer> {
  const env = createRealEnv();
  let store = await openLevelStore(dir, { engine: { writeBufferBytes: writeBufferSize } }, env);
  return {
    put: (i, bytes) =>
      store.commit([{ kind: 'put', key: Buffer.from(keyOf(i)), value: new Uint8Array(bytes).fill(i) }]),
    async reopen() {
      await store.close();
      store = await openLevelStore(dir, { engine: { writeBufferBytes: writeBufferSize } }, env);
    },
  };
}

function keyOf(i: number): string {
  return `e!${String(i).padStart(8, '0')}`;
}

function limitFileSize(limit: string): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${limit}`]);
}

const writer = kind === 'bare' ? await bareWriter() : await volumeWriter();
const acknowledged: number[] = [];
const failed: number[] = [];
function report(): void {
  writeFileSync(join(dir, 'report.json'), JSON.stringify({ acknowledged, failed }));
}
async function put(i: number, bytes: number, sync?: boolean): Promise<void> {
  await writer.put(i, bytes, sync).then(
    () => acknowledged.push(i),
    () => failed.push(i),
  );
}

if (scenario === 'bits') {
  for (let i = 1; i <= 400; i++) await put(i, 300);
} else if (scenario === 'rotate' && kind === 'volume') {
  for (let i = 1; i <= 1_000; i++) await put(i, 3_000);
} else if (scenario === 'rotate') {
  // The one synced write comes right behind the rotation, before the old log's content is in a synced table.
  const logs = (): string => readdirSync(database).filter((name) => name.endsWith('.log')).join();
  const first = logs();
  let i = 1;
  while (logs() === first) await put(i++, 60_000, false);
  report();
  await put(i, 100, true);
} else {
  process.on('SIGXFSZ', () => undefined);
  for (let i = 1; i <= 40; i++) await put(i, 3_000);
  const log = readdirSync(database)
    .filter((name) => name.endsWith('.log'))
    .sort()
    .at(-1)!;
  // A limit on the size of files stands in for a full disk: the append is cut short in the same way.
  limitFileSize(`${statSync(join(database, log)).size + 1_500}:unlimited`);
  await put(41, 3_000);
  limitFileSize('unlimited:unlimited');
  if (scenario === 'limit-reopen') await writer.reopen();
  for (let i = 42; i <= 60; i++) await put(i, 3_000);
}
report();
process.kill(process.pid, 'SIGKILL');
