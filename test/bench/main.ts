/**
 * `npm run bench`: the canonical workload, each part in a process of its own. Results go to standard output and, as JSON lines with the
 * machine's facts first, to `results.jsonl` of a folder, where report.py makes tables (Markdown) and plots (SVG, PNG) of them.
 * Parts: `kernels` (scans beside memory bandwidth and native code), `ann` (in process over wordnet-minilm, Fashion-MNIST and GloVe-50, beside hnswlib,
 * faiss, usearch and qdrant-edge from PyPI), `rest` (upload and search beside the Qdrant server),
 * `upload` (points a second over REST and gRPC beside it, nothing indexed),
 * `filters` (filtered search beside it), `sparse` and `multivector` (BM25 and MaxSim beside it), `quantization` (recall of
 * every kind and rate beside it and faiss), `recall` (what `target_recall` is worth on held-out queries), `small` (2,000 small
 * collections), `latency` (searches during a bulk load, beside the Qdrant server), `million` (a million vectors within a memory budget of 1 GiB), `cluster` (cost of replication, router hop, fan-out).
 *
 *   npm run bench [-- ann rest] [--out bench-results] [--report: of what the folder holds, nothing is run]
 */
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { peerPython } from './peer-python.ts';

const sets = ['wordnet-minilm', 'fashion-mnist', 'glove-50'];
/** A part's runs: a script and its arguments. */
const parts: Readonly<Record<string, readonly (readonly [string, ...string[]])[]>> = {
  kernels: [['kernels.ts']],
  ann: sets.map((set) => ['ann-peers.ts', '--set', set, '--curve']),
  rest: [['rest-peers.ts']],
  upload: [['upload-peers.ts']],
  filters: [['filter-peers.ts']],
  quantization: [['quantization.ts']],
  sparse: [['sparse-peers.ts']],
  multivector: [['multivector-peers.ts']],
  recall: [['target-recall.ts']],
  small: [['small-collections.ts']],
  latency: [['load-latency.ts']],
  million: [['million.ts']],
  cluster: [['cluster-cost.ts']],
};
const { values: flags, positionals: asked } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'bench-results' },
    report: { type: 'boolean', default: false },
  },
});
const unknown = asked.filter((name) => !(name in parts));
if (unknown.length > 0) {
  process.stderr.write(`no such part: ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}\n`);
  process.exit(2);
}
mkdirSync(flags.out, { recursive: true });
const results = join(flags.out, 'results.jsonl');

function keep(line: string): void {
  process.stdout.write(`${line}\n`);
  if (line.startsWith('{')) appendFileSync(results, `${line}\n`);
}

/** @returns whether it ended well */
async function run([script, ...args]: readonly [string, ...string[]]): Promise<boolean> {
  const child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) keep(line);
  return (await ended) === 0;
}

if (!flags.report) {
  writeFileSync(results, '');
  const machine = {
    bench: 'machine',
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
  };
  keep(JSON.stringify(machine));
  for (const name of asked.length > 0 ? asked : Object.keys(parts))
    for (const one of parts[name]!)
      if (!(await run(one))) {
        process.stderr.write(`${one.join(' ')} failed; the other parts go on\n`);
        process.exitCode = 1;
      }
}
const made = spawnSync(peerPython(), [join(import.meta.dirname, 'report.py'), results, flags.out], {
  stdio: 'inherit',
});
if (made.status !== 0) process.exitCode = 1;
