// A table that LevelDB trusts and should not: found before it is opened.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createVirtualEnv } from '@quiver/env/testing';
import { createRng } from '@quiver/kernel';
import { afterAll, expect, test } from 'vitest';
import { crc32c } from './crc32c.ts';
import { openLevelStore } from './level-store.ts';
import { unpackSnappy } from './snappy.ts';
import { failure } from './store.contract.ts';
import { damageOf, tablesIn } from './table-check.ts';

const root = mkdtempSync(join(tmpdir(), 'quiver-tables-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A volume whose entries lie in tables. @returns its folder */
async function volumeWithTables(options: { compression: boolean }): Promise<string> {
  const { env } = { env: createVirtualEnv({ seed: 1 }) };
  const dir = mkdtempSync(join(root, 'volume-'));
  const engine = { ...options, writeBufferBytes: 64 << 10, tableFileBytes: 64 << 10, blockBytes: 1 << 10 };
  const store = await openLevelStore(dir, { engine }, env);
  for (let from = 0; from < 2_000; from += 100) {
    const changes = Array.from({ length: 100 }, (_, i) => ({
      kind: 'put' as const,
      key: text(`key ${String(from + i).padStart(6, '0')}`),
      value: text(`value ${from + i} `.repeat(8)),
    }));
    await store.commit(changes);
  }
  await store.close();
  return dir;
}

test('crc32c and Snappy by their published examples', () => {
  expect(crc32c(text('123456789'))).toBe(0xe3069283);
  // RFC 3720, appendix B.4: 32 bytes of zeros, of ones, and ascending.
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  // format_description.txt: a copy that runs into what it writes.
  const packed = Buffer.from([7, 4, 0x78, 0x61, (5 - 4) * 4 + 1, 2]);
  expect(unpackSnappy(packed).toString()).toBe('xaxaxax');
  expect(() => unpackSnappy(Buffer.from([7, 4, 0x78, 0x61, 5, 3]))).toThrow(RangeError);
});

test.each([{ compression: true }, { compression: false }])(
  'every flipped bit of a block is found, $compression',
  async (options) => {
    const dir = await volumeWithTables(options);
    const { names, bytes } = await tablesIn(join(dir, 'db'));
    expect(bytes).toBeGreaterThan(10_000);
    for (const name of names) {
      const whole = readFileSync(join(dir, 'db', name));
      expect(damageOf(whole), name).toBeNull();
      const rng = createRng(names.indexOf(name));
      for (let i = 0; i < 200; i += 1) {
        const damaged = Buffer.from(whole);
        // The footer's padding and the ends of its handles say nothing.
        const at = Math.floor(rng.float() * (whole.length - 48));
        damaged[at]! ^= 1 << Math.floor(rng.float() * 8);
        expect(damageOf(damaged), `bit of byte ${at} of ${name}`).not.toBeNull();
      }
      expect(damageOf(whole.subarray(0, whole.length - 1))).not.toBeNull();
      expect(damageOf(Buffer.alloc(10))).not.toBeNull();
    }
  },
);

test('bare LevelDB ends the process at a key that is another: the start after it names the table', async () => {
  const env = createVirtualEnv({ seed: 1 });
  const dir = await volumeWithTables({ compression: false });
  const database = join(dir, 'db');
  const { names } = await tablesIn(database);
  const path = join(database, names.at(-1)!);
  const bytes = readFileSync(path);
  // The first key that is spelt out behind the first of a block: it comes after its successor then.
  const at = bytes.indexOf(text('key '), 1_200);
  bytes[at] = 0xfe;
  writeFileSync(path, bytes);
  const level = pathToFileURL(join(import.meta.dirname, '../../../node_modules/classic-level/index.js')).href;
  const script = `import { ClassicLevel } from ${JSON.stringify(level)};
    const db = new ClassicLevel(${JSON.stringify(database)}, { keyEncoding: 'view' });
    await db.open();
    await db.compactRange(Uint8Array.of(0), Uint8Array.of(255));`;
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(done.stderr).toContain('Assertion');
  expect(done.signal).toBe('SIGABRT');

  // That start was no volume's, which leaves its mark first.
  writeFileSync(join(dir, 'starts'), '1');
  const error = await failure(openLevelStore(dir, {}, env));
  expect(error.code).toBe('corruption');
  expect(error.message).toContain(names.at(-1));
  expect(error.message).toContain('checksum');
});

test('a volume that is open for a minute, or is closed, has come through', async () => {
  const env = createVirtualEnv({ seed: 1 });
  const dir = mkdtempSync(join(root, 'starts-'));
  const starts = join(dir, 'starts');
  const first = await openLevelStore(dir, {}, env);
  expect(readFileSync(starts, 'utf8')).toBe('1');
  await first.close();
  expect(existsSync(starts)).toBe(false);
  const second = await openLevelStore(dir, {}, env);
  expect(readFileSync(starts, 'utf8')).toBe('1');
  await env.advance(60_000);
  await expect.poll(() => existsSync(starts)).toBe(false);
  await second.close();
});
