/**
 * Exact MaxSim beside the Qdrant server over REST in one run: points of 16 rows, which are the embeddings of consecutive WordNet
 * glosses, queries of 8. Qdrant is asked for exact search too (peer-rounds.ts), and builds no graph; with --graph it has one and is asked
 * for what it does by default.
 *
 *   node test/bench/multivector-peers.ts [--rounds 5] [--seconds 2] [--connections 2] [--points 2000] [--graph]
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sharedFolder } from '../harness/server.ts';
import { buildRequest } from './http-load.ts';
import { collection, comparePeers } from './peer-rounds.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '2' },
    points: { type: 'string', default: '2000' },
    graph: { type: 'boolean', default: false },
  },
});
const k = 10;
const dim = 384;
const pointRows = 16;
const queryRows = 8;
const queryCount = 50;
const batchPoints = 50;
const pointCount = Number(flags.points);

/** The first rows of a file of halves, at one decimal more than the halves have. */
function rowsOf(file: string, count: number): Float32Array {
  const shared = sharedFolder();
  if (shared === null) throw new Error('needs the folder shared beside the project');
  const bytes = readFileSync(join(shared, 'data', 'wordnet-minilm', file));
  const halves = new Float16Array(bytes.buffer, bytes.byteOffset, count * dim);
  return Float32Array.from(halves, (value) => Math.fround(Number(value.toPrecision(5))));
}
const stored = rowsOf('base.f16', pointCount * pointRows);
const asked = rowsOf('queries.f16', queryCount * queryRows);

function multivector(all: Float32Array, index: number, rows: number): number[][] {
  return Array.from({ length: rows }, (_, row) => {
    const at = (index * rows + row) * dim;
    return Array.from(all.subarray(at, at + dim));
  });
}

/** Scores of the k best points, best first; Dot, so that nothing is normalised. */
function truthOf(): number[][] {
  return Array.from({ length: queryCount }, (_, query) => {
    const sums = Array.from({ length: pointCount }, (_, point) => {
      let sum = 0;
      for (let i = 0; i < queryRows; i += 1) {
        const a = (query * queryRows + i) * dim;
        let best = -Infinity;
        for (let j = 0; j < pointRows; j += 1) {
          const b = (point * pointRows + j) * dim;
          let dot = 0;
          for (let d = 0; d < dim; d += 1) dot += asked[a + d]! * stored[b + d]!;
          if (dot > best) best = dot;
        }
        sum += best;
      }
      return sum;
    });
    return sums.sort((a, b) => b - a).slice(0, k);
  });
}

const uploads: Buffer[] = [];
for (let from = 0; from < pointCount; from += batchPoints) {
  const count = Math.min(batchPoints, pointCount - from);
  const points = Array.from({ length: count }, (_, i) => ({
    id: from + i,
    vector: multivector(stored, from + i, pointRows),
  }));
  uploads.push(
    buildRequest('PUT', `/collections/${collection}/points?wait=true`, JSON.stringify({ points })),
  );
}
await comparePeers({
  bench: 'multivector',
  config: {
    vectors: { size: dim, distance: 'Dot', multivector_config: { comparator: 'max_sim' } },
    ...(flags.graph ? {} : { optimizers_config: { indexing_threshold: 0 } }),
  },
  uploads,
  requests: Array.from({ length: queryCount }, (_, i) =>
    buildRequest(
      'POST',
      `/collections/${collection}/points/query`,
      JSON.stringify({
        query: multivector(asked, i, queryRows),
        limit: k,
        params: { exact: !flags.graph },
      }),
    ),
  ),
  truth: truthOf,
  facts: { points: pointCount, graph: flags.graph },
  rounds: Number(flags.rounds),
  seconds: Number(flags.seconds),
  connections: Number(flags.connections),
});
