/**
 * `npm run cluster`: 3 meta members, 3 shard nodes and 2 routers on this machine, until Ctrl-C. Data lie in a temporary
 * folder and go with it. `-- --metas 1 --shards 2 --routers 1` for other numbers, `--port` for another first REST port (0:
 * free ones). Always: while it runs the id of each of its processes lies under `--pids`, by name, so that this cluster's
 * can be told from any other's.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
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
