// README's cluster block as printed, but for its port numbers and the way it finds the process that it kills.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startRoles } from '../harness/cluster.ts';
import { readBlocks } from '../sdks/readme-blocks.ts';

test('the same search through both routers, and again after one shard node was killed', async () => {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
  const block = readBlocks(readme).find(({ language }) => language === 'cluster');
  expect(block).toBeDefined();
  const cluster = await startRoles({ metas: 3, shards: 3, routers: 2 });
  try {
    const [one, other] = cluster.of('router').map(({ server }) => server.restPort);
    const victim = cluster.nodes.find(({ name }) => name === 'shard-0')!;
    const code = block!.code
      .replace('localhost:6333', `localhost:${one}`)
      .replace('localhost:7333', `localhost:${other}`)
      .replace("$(pgrep -n -f -- '--id shard-0')", String(victim.server.process.pid));
    const done = spawnSync('bash', ['-c', code], { encoding: 'utf8', timeout: 60_000 });
    expect(done.stdout).toBe(block!.output);
  } finally {
    await cluster.stop();
  }
});
