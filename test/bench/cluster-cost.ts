/**
 * What replication, the router hop and fan-out cost, on one machine: write latency and throughput at RF 1, 2, 3 with fsync
 * on every replica; the same search asked of a node directly and through a router; one collection in 1, 4 and 16 shards.
 */
import { startRoles } from '../harness/cluster.ts';
import { startQuiver } from '../harness/server.ts';
import { buildRequest, runLoad } from './http-load.ts';
import { readDataSet } from './data-set.ts';

const set = readDataSet('wordnet-minilm');
const { dim } = set;
const seconds = 4;

function print(row: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify({ bench: 'cluster-cost', ...row })}\n`);
}

function upserts(collection: string, from: number, requests: number, batch: number): Buffer[] {
  return Array.from({ length: requests }, (_, r) => {
    const points = Array.from({ length: batch }, (__, i) => {
      const row = from + r * batch + i;
      return { id: row, vector: Array.from(set.base.subarray(row * dim, (row + 1) * dim)), payload: { row } };
    });
    return buildRequest('PUT', `/collections/${collection}/points?wait=true`, JSON.stringify({ points }));
  });
}

function searches(collection: string): Buffer[] {
  return Array.from({ length: 200 }, (_, q) => {
    const query = Array.from(set.queries.subarray(q * dim, (q + 1) * dim));
    const body = JSON.stringify({ query, limit: 10, with_payload: true });
    return buildRequest('POST', `/collections/${collection}/points/query`, body);
  });
}

async function create(port: number, name: string, shards: number, factor: number): Promise<void> {
  const reply = await fetch(`http://127.0.0.1:${port}/collections/${name}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      vectors: { size: dim, distance: 'Cosine' },
      shard_number: shards,
      replication_factor: factor,
      optimizers_config: { indexing_threshold: 0 },
    }),
  });
  if (!reply.ok) throw new Error(await reply.text());
}

const cluster = await startRoles({ metas: 1, shards: 3, routers: 1 });
const single = await startQuiver();
try {
  const router = cluster.of('router')[0]!.server.restPort;
  for (const factor of [1, 2, 3]) {
    const name = `rf${factor}`;
    await create(router, name, 3, factor);
    const bulk = await runLoad(router, upserts(name, 0, 40, 500), { connections: 4 });
    const one = await runLoad(router, upserts(name, 20_000, 400, 1), { connections: 1 });
    print({
      what: 'write',
      replication_factor: factor,
      points_per_s_500x4: Math.round((bulk.requests * 500) / bulk.seconds),
      one_point_p50_ms: one.p50Ms,
      one_point_p99_ms: one.p99Ms,
      failures: bulk.failures + one.failures,
    });
  }
  await create(single.restPort, 'direct', 1, 1);
  await create(router, 'hop', 1, 1);
  for (const [port, name] of [
    [single.restPort, 'direct'],
    [router, 'hop'],
  ] as const) {
    await runLoad(port, upserts(name, 0, 4, 500), { connections: 1 });
    const load = await runLoad(port, searches(name), { connections: 1, seconds });
    print({
      what: 'search of 2,000 points',
      how: name,
      p50_ms: load.p50Ms,
      p99_ms: load.p99Ms,
      per_s: Math.round(load.perSecond),
    });
  }
  for (const shards of [1, 4, 16]) {
    const name = `fan${shards}`;
    await create(router, name, shards, 1);
    await runLoad(router, upserts(name, 0, 20, 500), { connections: 1 });
    const load = await runLoad(router, searches(name), { connections: 1, seconds });
    print({
      what: 'search of 10,000 points',
      shards,
      p50_ms: load.p50Ms,
      p99_ms: load.p99Ms,
      per_s: Math.round(load.perSecond),
    });
  }
} finally {
  await cluster.stop();
  await single.stop();
}
