// README's cluster block as printed, but for its port numbers and the folder of the process ids.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBlocks } from '../sdks/readme-blocks.ts';

const root = join(import.meta.dirname, '../..');

test('the same search through both routers, and again after one shard node was killed', async () => {
  const block = readBlocks(readFileSync(join(root, 'README.md'), 'utf8')).find(
    ({ language }) => language === 'cluster',
  );
  expect(block).toBeDefined();
  const pids = mkdtempSync(join(tmpdir(), 'quiver-pids-'));
  const args = [join(root, 'test/cluster/main.ts'), '--port', '0', '--pids', pids];
  const cluster = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(cluster, 'exit');
  try {
    let printed = '';
    for await (const text of cluster.stdout.setEncoding('utf8')) {
      printed += text as string;
      if (printed.includes('Ctrl-C stops all')) break;
    }
    const [, one, other] = /REST: http:..127.0.0.1:(\d+) and http:..127.0.0.1:(\d+)/.exec(printed)!;
    const code = block!.code
      .replace('localhost:6333', `localhost:${one}`)
      .replace('localhost:7333', `localhost:${other}`)
      .replace('node_modules/.cache/cluster', pids);
    const done = spawnSync('bash', ['-c', code], { encoding: 'utf8', timeout: 60_000, cwd: root });
    expect(done.stdout).toBe(block!.output);
    expect(readdirSync(pids)).toHaveLength(8);
  } finally {
    cluster.kill('SIGTERM');
    await ended;
  }
  expect(readdirSync(pids)).toEqual([]);
  rmSync(pids, { recursive: true, force: true });
});

test('a port that another server has is told before anything is started', async () => {
  const other = createServer((_, reply) => reply.end('all shards are ready'));
  other.listen(0, '0.0.0.0');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const cluster = spawn(process.execPath, [join(root, 'test/cluster/main.ts'), '--port', String(port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [cluster.stdout, cluster.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (printed.includes('Ctrl-C')) cluster.kill('SIGTERM');
    });
  await once(cluster, 'close');
  other.close();
  expect(printed).toContain(`port ${port} is taken`);
  expect(printed).not.toContain('meta-0');
});
