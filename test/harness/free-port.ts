/**
 * TCP ports on the loopback address for servers of tests. Always: below those that systems give to outgoing connections (from
 * 32,768 on Linux, 49,152 elsewhere), so that none takes one before its server listens, or while its server is away to
 * come back; none twice in a process.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';

const [lowest, count] = [10_000, 22_000];
const given = new Set<number>();

/** Free a moment ago. */
export async function freePort(): Promise<number> {
  for (let attempts = 0; attempts < 1_000; attempts += 1) {
    const port = lowest + Math.floor(Math.random() * count);
    if (given.has(port)) continue;
    const server = createServer();
    server.listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    given.add(port);
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`no free port among ${count} from ${lowest} on`);
}
