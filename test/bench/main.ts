/**
 * `npm run bench`: the canonical workload, each part in a process of its own, results as JSON lines with the machine's
 * facts first. Parts: `kernels` (scans beside memory bandwidth and native code), `ann` (in process, beside PyPI hnswlib), `rest` (upload and search beside the Qdrant server),
 * `upload` (points a second over REST and gRPC beside it, nothing indexed),
 * `filters` (filtered search beside it), `sparse` and `multivector` (BM25 and MaxSim beside it), `quantization` (recall of
 * every kind and rate beside it and faiss), `recall` (what `target_recall` is worth on held-out queries), `small` (2,000 small
 * collections), `latency` (searches during a bulk load, beside the Qdrant server), `million` (a million vectors within a memory budget of 1 GiB), `cluster` (cost of replication, router hop, fan-out).
 *
 *   npm run bench [-- ann rest]
 */
import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';

const parts: Readonly<Record<string, string>> = {
  kernels: 'kernels.ts',
  ann: 'ann-peers.ts',
  rest: 'rest-peers.ts',
  upload: 'upload-peers.ts',
  filters: 'filter-peers.ts',
  quantization: 'quantization.ts',
  sparse: 'sparse-peers.ts',
  multivector: 'multivector-peers.ts',
  recall: 'target-recall.ts',
  small: 'small-collections.ts',
  latency: 'load-latency.ts',
  million: 'million.ts',
  cluster: 'cluster-cost.ts',
};
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in parts));
if (unknown.length > 0) {
  process.stderr.write(`no such part: ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}\n`);
  process.exit(2);
}
const machine = {
  bench: 'machine',
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memory_gib: Math.round(totalmem() / 2 ** 30),
  node: process.versions.node,
};
process.stdout.write(`${JSON.stringify(machine)}\n`);
for (const name of asked.length > 0 ? asked : Object.keys(parts)) {
  const done = spawnSync(process.execPath, [join(import.meta.dirname, parts[name]!)], { stdio: 'inherit' });
  if (done.status !== 0) process.exitCode = 1;
}
