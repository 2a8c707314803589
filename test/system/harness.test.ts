import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';

const harness = new URL('../harness/server.ts', import.meta.url);
const starts = `
  import { startQuiver } from ${JSON.stringify(harness.href)};
  const { process: { pid }, folder } = await startQuiver();
  console.log(JSON.stringify({ pid, folder }));
  setInterval(() => undefined, 1 << 30);`;

test.each(['SIGTERM', 'SIGINT'] as const)(
  'a bench that is ended by %s leaves no server and no folder behind',
  async (signal) => {
    const bench = spawn(process.execPath, ['--input-type=module', '--eval', starts], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(bench.stdout), 'line')) as [string];
    const { pid, folder } = JSON.parse(line) as { pid: number; folder: string };
    expect(existsSync(folder)).toBe(true);
    bench.kill(signal);
    expect(await once(bench, 'exit')).toEqual([null, signal]);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(existsSync(folder)).toBe(false);
  },
);
