import { createRng, metrics, reportedScore } from '@quiver/kernel';
import { expect, test } from 'vitest';
import { stageRows } from './testing/index-stage.ts';

test('the exact index returns what sorting all distances returns, fewer rows than asked for included', () => {
  const rng = createRng(11);
  const vectors = Array.from({ length: 40 }, () => Float32Array.from({ length: 9 }, () => rng.normal()));
  for (const metric of metrics) {
    const { flat, kernel, rows } = stageRows({ metric, vectors });
    const query = Float32Array.from({ length: 9 }, () => rng.normal());
    const scores = kernel.score(rows, query, Uint32Array.from(vectors.keys())).slice();
    const sign = reportedScore(metric, 1) < 0 ? -1 : 1;
    const order = [...vectors.keys()].sort((a, b) => sign * (scores[a]! - scores[b]!) || a - b);
    for (const k of [1, 10, 100]) {
      const found = flat.search({ query, k, ef: 0, visibility: null, filter: 0, walk: 'plain' });
      expect([...found.rows]).toEqual(order.slice(0, k));
      expect([...found.scores]).toEqual(order.slice(0, k).map((row) => scores[row]));
    }
  }
});
