/**
 * Short forms of test/durability: what a volume keeps over a power loss, checked by a control that must lose, and a
 * server that is killed under load. The long forms are commands (test/durability/durability.ts).
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRealEnv } from '@quiver/env';
import { openLevelStore } from '@quiver/storage';
import { ClassicLevel } from 'classic-level';
import { afterAll, describe, expect, test } from 'vitest';
import { runRounds } from '../durability/durability.ts';
import { buildShim, readLog, watchSyncs } from '../durability/power-loss.ts';

const env = createRealEnv();
const base = mkdtempSync(join(tmpdir(), 'quiver-power-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const writer = join(import.meta.dirname, '../../packages/storage/src/testing/fault-writer.ts');
const shim = buildShim();

function loseEverythingUnsynced(kind: 'bare' | 'volume', random: () => number) {
  const folder = mkdtempSync(join(base, `${kind}-`));
  const root = join(folder, 'storage');
  mkdirSync(root);
  const rig = watchSyncs(shim!, root, join(folder, 'side'));
  const done = spawnSync(process.execPath, [writer, kind, 'rotate', root], {
    encoding: 'utf8',
    env: { ...process.env, ...rig.env },
  });
  expect(done.signal, done.stderr).toBe('SIGKILL');
  // The report itself is a file in the directory, and not synced: it is read before the power goes.
  const { acknowledged } = JSON.parse(readFileSync(join(root, 'report.json'), 'utf8')) as {
    acknowledged: number[];
  };
  const syncs = readLog(join(folder, 'side')).filter(([op]) => op === 'S').length;
  return { root, acknowledged, syncs, cut: rig.cut(random) };
}

describe.skipIf(shim === null)('power loss under one writer (skipped without Linux and gcc)', () => {
  test('control: bare LevelDB keeps a later synced write and loses earlier unsynced ones across a log rotation', async () => {
    const { root, acknowledged } = loseEverythingUnsynced('bare', () => 0);
    const db = new ClassicLevel(join(root, 'db'));
    await db.open();
    const found: number[] = [];
    for await (const key of db.keys()) found.push(Number(key.slice(2)));
    await db.close();
    expect(found.at(-1)).toBe(acknowledged.length);
    expect(found.length).toBeLessThan(acknowledged.length);
  });

  test.each([0, 0.6, 0.9])('a volume keeps every acknowledged commit (tail choice %d)', async (choice) => {
    const { root, acknowledged, syncs } = loseEverythingUnsynced('volume', () => choice);
    expect(acknowledged.length).toBe(1_000);
    expect(syncs).toBeGreaterThanOrEqual(1_000);
    const store = await openLevelStore(root, {}, env);
    const found = new Set<number>();
    for await (const [key] of store.scan({ from: Buffer.from('e'), to: Buffer.from('f') }))
      found.add(Number(Buffer.from(key).toString().slice(2)));
    expect(acknowledged.filter((i) => !found.has(i))).toEqual([]);
    expect(store.opened.loss).toBeUndefined();
    await store.close();
  });
});

describe('a server under load', () => {
  const seed = Date.now() >>> 0;
  const replay = (mode: string): string =>
    `node test/durability/durability.ts --rounds 5 --mode ${mode} --seed ${seed}`;

  test('that is killed five times has every acknowledged change after each start', async () => {
    const outcome = await runRounds({
      rounds: 5,
      mode: 'kill',
      seed,
      server: 'quiver',
      roundMsMax: 900,
      report: () => undefined,
    });
    expect(outcome.breaches, replay('kill')).toEqual([]);
    expect(outcome.totals.acknowledged).toBeGreaterThan(0);
  });

  test.skipIf(shim === null)(
    'that loses power five times has every acknowledged change (skipped without gcc)',
    async () => {
      const outcome = await runRounds({
        rounds: 5,
        mode: 'power',
        seed,
        server: 'quiver',
        roundMsMax: 900,
        report: () => undefined,
      });
      expect(outcome.breaches, replay('power')).toEqual([]);
      expect(outcome.totals.acknowledged).toBeGreaterThan(0);
    },
  );
});
