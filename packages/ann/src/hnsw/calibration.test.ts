import { createRng } from '@quiver/kernel';
import { describe, expect, test } from 'vitest';
import { beamFor } from '../recall-curve.ts';
import { buildIndex, recallOf, stageRows } from '../testing/index-stage.ts';
import { mixed } from '../vector-index.contract.ts';
import { none } from './format.ts';
import { viewGraph } from './graph-view.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);

describe(`calibration (QUIVER_SEED=${seed})`, () => {
  for (const neighbourCodes of ['never', 'always'] as const)
    test(`the width it finds has the recall asked for on points that were never inserted (neighbour codes ${neighbourCodes})`, () => {
      const vectors = mixed(createRng(seed), 4300, 48);
      const stage = stageRows({ metric: 'euclid', vectors: vectors.slice(300), neighbourCodes });
      const index = buildIndex(stage, { efConstruct: 60 });
      const { curves } = viewGraph(stage.kernel.arena.memory.buffer, stage.region);
      expect(curves.map(({ k }) => k)).toEqual([10, 100]);
      for (const target of [0.9, 0.95, 0.99]) {
        const ef = beamFor(curves, 10, target)!;
        const recall = recallOf(index, stage.flat, vectors.slice(0, 300), { k: 10, ef });
        // A sample of 64 stands for the set: the bound leaves its error room, and that of these 300.
        expect(recall).toBeGreaterThan(target - 4 * Math.sqrt((target * (1 - target)) / 300));
      }
    });

  test('a walk by coarser codes is measured from as few places on as there are answers', () => {
    const vectors = mixed(createRng(seed), 6000, 48);
    const stage = stageRows({ metric: 'euclid', vectors, neighbourCodes: 'always' });
    const index = buildIndex(stage, { efConstruct: 60 });
    const { curves, neighbourCodes } = viewGraph(stage.kernel.arena.memory.buffer, stage.region);
    expect(curves[0]!.points[0]!.ef).toBeLessThanOrEqual(10 / neighbourCodes!.beamScale);
    // Three places for one, whatever was chosen: ten places are less than thirty, and hold ten answers.
    new Float32Array(stage.kernel.arena.memory.buffer, stage.region.offset, 64)[208 / 4] = 3;
    const answers = (ef: number): { count: number; visited: number } => {
      let [count, visited] = [0, 0];
      for (const query of vectors.slice(0, 100)) {
        const request = { query, k: 10, ef, visibility: null, filter: 0, walk: 'plain' } as const;
        count += index.search(request).rows.length;
        visited += index.facts().visited;
      }
      return { count, visited };
    };
    const [narrow, wide] = [answers(3), answers(10)];
    expect([narrow.count, wide.count]).toEqual([1000, 1000]);
    expect(narrow.visited).toBeLessThan(wide.visited);
  });

  test('equal rows, parameters and seed give equal curves', () => {
    const vectors = mixed(createRng(seed), 2000, 24);
    const [a, b] = [1, 2].map(() => {
      const stage = stageRows({ metric: 'dot', vectors });
      buildIndex(stage);
      return viewGraph(stage.kernel.arena.memory.buffer, stage.region).curves;
    });
    expect(a!.length).toBeGreaterThan(0);
    expect(a).toEqual(b);
  });

  test('a graph of few rows, or of equal rows alone, has no curves', () => {
    const few = stageRows({ metric: 'euclid', vectors: mixed(createRng(seed), 500, 8) });
    buildIndex(few);
    expect(viewGraph(few.kernel.arena.memory.buffer, few.region).curves).toEqual([]);
    const equal = stageRows({
      metric: 'euclid',
      vectors: Array.from({ length: 2000 }, () => Float32Array.of(1, 2, 3)),
    });
    buildIndex(equal);
    expect(viewGraph(equal.kernel.arena.memory.buffer, equal.region).curves).toEqual([]);
  });

  test('a hidden row is no answer and others are found without it', () => {
    const vectors = mixed(createRng(seed), 1500, 16);
    const stage = stageRows({ metric: 'euclid', vectors });
    const index = buildIndex(stage);
    const graph = viewGraph(stage.kernel.arena.memory.buffer, stage.region);
    const upper = new Set(graph.upper);
    const row = vectors.findIndex(
      (_, at) => !upper.has(at) && graph.next[at] === none && graph.links[at * graph.linkStride] !== none,
    );
    const request = {
      query: vectors[row]!,
      k: 10,
      ef: 100,
      visibility: null,
      filter: 0,
      walk: 'plain',
    } as const;
    const found = [...index.search(request).rows];
    expect(found[0]).toBe(row);
    const without = [...index.search({ ...request, hiddenRow: row }).rows];
    expect(without.slice(0, 9)).toEqual(found.slice(1));
    expect([...index.search(request).rows]).toEqual(found);
  });
});
