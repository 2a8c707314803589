// The measuring script of healing, with few points: it ends with 0 only when no search failed and every point is there.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('a node killed for good is replaced, a new one filled, a drained one emptied, without a command or a failed search', () => {
  const script = join(import.meta.dirname, '../cluster/heal.ts');
  const done = spawnSync(process.execPath, [script, '--points', '2000', '--dim', '16'], {
    encoding: 'utf8',
    timeout: 170_000,
  });
  expect(done.stderr).toBe('');
  expect(done.status, done.stdout).toBe(0);
  expect(done.stdout).toContain('"failed":0');
});
