/**
 * Commit throughput and latency, scan and blob speed, open time. `node packages/storage/src/storage.bench.ts`
 * The disk is the one of the temporary directory; give another as the first argument.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRealEnv } from '@quiver/env';
import { openLevelBlobStore } from './blob-store.ts';
import { key } from './key.ts';
import { openLevelStore } from './level-store.ts';
import type { Change } from './store.ts';

const env = createRealEnv();
const root = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'quiver-bench-'));
const valueBytes = 1_600;
/** Random vectors, enough of them that none repeats within a block: nothing to compress. */
const values = Array.from({ length: 64 }, () =>
  Buffer.from(Float32Array.from({ length: valueBytes / 4 }, Math.random).buffer),
);

function print(name: string, figures: Record<string, number>): void {
  const text = Object.entries(figures).map(([what, figure]) => `${what} ${figure.toFixed(figure < 10 ? 2 : 0)}`);
  process.stdout.write(`${name.padEnd(44)} ${text.join('  ')}\n`);
}

function change(i: number): Change {
  return { kind: 'put', key: key().u32(1).u8(0x70).u64(i).done(), value: values[i % 64]! };
}

async function commits(name: string, count: number, perRequest: number, callers: number): Promise<string> {
  const dir = mkdtempSync(join(root, 'v-'));
  const store = await openLevelStore(dir, {}, env);
  const latencies: number[] = [];
  let next = 0;
  const cpu = process.cpuUsage();
  const startMs = env.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < count) {
        const changes: Change[] = [];
        for (let i = 0; i < perRequest && next < count; i++) changes.push(change(next++));
        const fromMs = env.now();
        await store.commit(changes);
        latencies.push(env.now() - fromMs);
      }
    }),
  );
  const tookMs = env.now() - startMs;
  const used = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  print(name, {
    'changes/s': (count / tookMs) * 1e3,
    'groups/s': (store.stats.commits / tookMs) * 1e3,
    'p50 ms': latencies[latencies.length >> 1]!,
    'p99 ms': latencies[Math.floor(latencies.length * 0.99)]!,
    'MB/s': (count * valueBytes) / tookMs / 1e3,
    'cpu µs/change': (used.user + used.system) / count,
  });
  await store.close();
  return dir;
}

async function reopen(dir: string, count: number): Promise<void> {
  let fromMs = env.now();
  const store = await openLevelStore(dir, {}, env);
  const openMs = env.now() - fromMs;
  fromMs = env.now();
  let bytes = 0;
  for await (const page of store.scanPages({ from: Uint8Array.of(0), to: Uint8Array.of(255) }))
    for (const [, found] of page) bytes += found.length;
  const scanMs = env.now() - fromMs;
  print(`open and scan ${count} values of ${valueBytes} B`, {
    'open ms': openMs,
    'scan MB/s': bytes / scanMs / 1e3,
    'entries/s': (count / scanMs) * 1e3,
  });
  await store.close();
}

async function blobs(): Promise<void> {
  const store = await openLevelBlobStore(join(root, 'blobs'), {}, env);
  const bytes = 150 << 20;
  const source = new Uint8Array(new SharedArrayBuffer(bytes));
  for (let i = 0; i < bytes; i += 8) source[i] = Math.random() * 256;
  let fromMs = env.now();
  await store.put(1, source);
  const putMs = env.now() - fromMs;
  fromMs = env.now();
  await store.read(1, new Uint8Array(new SharedArrayBuffer(bytes)));
  const readMs = env.now() - fromMs;
  print('blob of 150 MiB', { 'put MB/s': bytes / putMs / 1e3, 'read MB/s': bytes / readMs / 1e3 });
  await store.delete([1]);
  await store.close();
}

try {
  await commits('1 change a request, 1 caller', 1_000, 1, 1);
  await commits('1 change a request, 32 callers', 8_000, 1, 32);
  await commits('64 changes a request, 4 callers', 32_000, 64, 4);
  const dir = await commits('256 changes a request, 1 caller', 64_000, 256, 1);
  await commits('256 changes a request, 4 callers', 128_000, 256, 4);
  await reopen(dir, 64_000);
  await blobs();
} finally {
  rmSync(root, { recursive: true, force: true });
}
