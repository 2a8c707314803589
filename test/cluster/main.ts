/**
 * `npm run cluster`: 3 meta members, 3 shard nodes and 2 routers on this machine, until Ctrl-C. Data lie in a temporary
 * folder and go with it. `-- --metas 1 --shards 2 --routers 1` for other numbers.
 */
import { parseArgs } from 'node:util';
import { startRoles, type ClusterNode } from '../harness/cluster.ts';

const { values } = parseArgs({
  options: {
    metas: { type: 'string', default: '3' },
    shards: { type: 'string', default: '3' },
    routers: { type: 'string', default: '2' },
  },
});
const firstRestPort = 6333;
const routerPortStep = 1000;

const cluster = await startRoles(
  { metas: Number(values.metas), shards: Number(values.shards), routers: Number(values.routers) },
  {
    ports: (role, index) =>
      role === 'router'
        ? {
            restPort: firstRestPort + routerPortStep * index,
            grpcPort: firstRestPort + 1 + routerPortStep * index,
          }
        : {},
  },
);
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
    void cluster.stop().then(() => process.exit(0));
  });
