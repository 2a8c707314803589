import { createVirtualEnv } from '@quiver/env/testing';
import { ClusterError } from '@quiver/model';
import { createLog } from '@quiver/telemetry';
import { expect, test } from 'vitest';
import { found, type Founding } from './founding.ts';

const self = { memberId: 1, nodeId: 1, name: 'a', address: 'a:6335' };

test.each<[Founding]>([
  [{ kind: 'join', addresses: ['b:6335'] }],
  [
    {
      kind: 'peers',
      peers: [
        { name: 'a', address: 'a:6335' },
        { name: 'b', address: 'b:6335' },
      ],
    },
  ],
])('who waits to become part of a cluster says why: %j', async (founding) => {
  const env = createVirtualEnv({ seed: 1 });
  const lines: string[] = [];
  let isClosed = false;
  const refusal = new ClusterError('unauthenticated', 'nodes of this cluster must show its key');
  const waiting = found({
    founding,
    self,
    caller: { call: () => Promise.reject(refusal) },
    env,
    log: createLog({ level: 'info', format: 'json', write: (line) => void lines.push(line) }),
    joinTimeoutMs: 1_000,
    isClosed: () => isClosed,
  });
  waiting.catch(() => undefined);
  await env.advance(30_000);
  isClosed = true;
  await env.advance(1_000);
  await expect(waiting).rejects.toThrow('closed');
  expect(lines[0]).toContain('b:6335: nodes of this cluster must show its key');
  expect(lines.length).toBeLessThan(10);
});
