/**
 * `npm run cluster`: 3 meta members, 3 shard nodes and 2 routers on this machine, until Ctrl-C. Data lie in a temporary
 * folder and go with it. `-- --metas 1 --shards 2 --routers 1` for other numbers, `--port` for another first REST port (0:
 * free ones). Always: while it runs the id of each of its processes lies under `--pids`, by name, so that this cluster's
 * can be told from any other's.
 */
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startRoles, type ClusterNode } from '../harness/cluster.ts';

const { values } = parseArgs({
  options: {
    metas: { type: 'string', default: '3' },
    shards: { type: 'string', default: '3' },
    routers: { type: 'string', default: '2' },
    port: { type: 'string', default: '6333' },
    pids: { type: 'string', default: join(import.meta.dirname, '../../node_modules/.cache/cluster') },
  },
});
const firstRestPort = Number(values.port);
const routerPortStep = 1000;

/** Whoever listens there would answer for a router that could not start. */
async function refuseTaken(port: number): Promise<void> {
  const probe = createServer().listen({ host: '127.0.0.1', port, exclusive: true });
  try {
    await once(probe, 'listening');
  } catch {
    process.stderr.write(`port ${port} is taken: stop what listens there, or choose others with -- --port\n`);
    process.exit(1);
  }
  probe.close();
  await once(probe, 'close');
}
if (firstRestPort !== 0)
  for (let index = 0; index < Number(values.routers); index += 1)
    for (const port of [0, 1]) await refuseTaken(firstRestPort + port + routerPortStep * index);

const cluster = await startRoles(
  { metas: Number(values.metas), shards: Number(values.shards), routers: Number(values.routers) },
  {
    ports: (role, index) =>
      role === 'router' && firstRestPort !== 0
        ? {
            restPort: firstRestPort + routerPortStep * index,
            grpcPort: firstRestPort + 1 + routerPortStep * index,
          }
        : {},
  },
);
const pidFile = ({ name }: ClusterNode): string => join(values.pids, `${name}.pid`);
mkdirSync(values.pids, { recursive: true });
for (const node of cluster.nodes) writeFileSync(pidFile(node), `${node.server.process.pid}\n`);
const line = ({ name, server }: ClusterNode): string =>
  `  ${name.padEnd(10)} pid ${String(server.process.pid).padEnd(8)} ${server.url}`;
process.stdout.write(
  `${cluster.nodes.map(line).join('\n')}\n\nREST: ${cluster.urls().join(' and ')}; Ctrl-C stops all.\n`,
);

let isStopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (isStopping) return;
    isStopping = true;
    for (const node of cluster.nodes) rmSync(pidFile(node), { force: true });
    void cluster.stop().then(() => process.exit(0));
  });
