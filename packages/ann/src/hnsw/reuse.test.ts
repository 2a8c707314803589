import { createRng, type Rng } from '@quiver/kernel';
import { describe, expect, test } from 'vitest';
import { buildIndex, recallOf, stageRows } from '../testing/index-stage.ts';
import { checkHnsw } from './check.ts';
import { none } from './format.ts';
import { viewGraph, type GraphView } from './graph-view.ts';
import { carryLinks, isWorthReusing, rowStates } from './reuse.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261127);
const dim = 24;

function drawn(rng: Rng, count: number): Float32Array[] {
  return Array.from({ length: count }, () => Float32Array.from({ length: dim }, () => rng.normal()));
}

/** A graph over `old`, and a row order of a new one: most of the old rows, and new ones, in any order. */
function successor(rng: Rng, old: readonly Float32Array[], goneShare: number, added: number) {
  const kept = old.map((_, row) => row).filter(() => rng.below(1000) >= goneShare * 1000);
  const fresh = drawn(rng, added);
  const order = [...kept, ...fresh.map((_, i) => -1 - i)];
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = rng.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  const rowOf = new Uint32Array(old.length).fill(none);
  order.forEach((row, place) => {
    if (row >= 0) rowOf[row] = place;
  });
  return { rowOf, vectors: order.map((row) => (row >= 0 ? old[row]! : fresh[-1 - row]!)) };
}

function built(vectors: readonly Float32Array[], reused?: { graph: GraphView; rowOf: Uint32Array }) {
  const stage = stageRows({ metric: 'euclid', vectors });
  const index = buildIndex(stage, reused === undefined ? {} : { reused });
  return { stage, index, graph: viewGraph(stage.kernel.arena.memory.buffer, stage.region) };
}

describe(`a graph that goes on from an older one (QUIVER_SEED=${seed})`, () => {
  test.each([
    [0, 1200],
    [0.1, 1200],
    [0.19, 3000],
  ])('with %d of its rows gone and %d new ones: sound, and as good as one built afresh', (gone, added) => {
    const rng = createRng(seed);
    const old = drawn(rng, 4000);
    const { graph } = built(old);
    const { rowOf, vectors } = successor(rng, old, gone, added);
    expect(isWorthReusing({ graph, rowOf }, vectors.length)).toBe(true);
    const goneOn = built(vectors, { graph, rowOf });
    expect(checkHnsw(goneOn.graph).problems).toEqual([]);
    const queries = drawn(rng, 300);
    const afresh = built(vectors);
    for (const ef of [16, 64])
      expect(recallOf(goneOn.index, goneOn.stage.flat, queries, { ef })).toBeGreaterThanOrEqual(
        recallOf(afresh.index, afresh.stage.flat, queries, { ef }) - 0.01,
      );
    const again = built(vectors, { graph, rowOf });
    expect(again.graph.links).toEqual(goneOn.graph.links);
  });

  test('through five generations recall stays that of a fresh one', () => {
    const rng = createRng(seed);
    let current = { vectors: drawn(rng, 2000), ...built(drawn(rng, 1)) };
    current = { vectors: current.vectors, ...built(current.vectors) };
    for (let generation = 0; generation < 5; generation += 1) {
      const { rowOf, vectors } = successor(rng, current.vectors, 0.12, 500);
      current = { vectors, ...built(vectors, { graph: current.graph, rowOf }) };
      expect(checkHnsw(current.graph).problems).toEqual([]);
    }
    const queries = drawn(rng, 300);
    const afresh = built(current.vectors);
    expect(recallOf(current.index, current.stage.flat, queries, { ef: 32 })).toBeGreaterThanOrEqual(
      recallOf(afresh.index, afresh.stage.flat, queries, { ef: 32 }) - 0.01,
    );
  });

  test('copies stay in the chain of their row; where that row is gone, another one takes its place', () => {
    const rng = createRng(seed);
    const distinct = drawn(rng, 300);
    const old = Array.from({ length: 3000 }, (_, i) => distinct[i % 300]!);
    const { graph } = built(old);
    const { rowOf, vectors } = successor(rng, old, 0.15, 300);
    const { graph: after, index, stage } = built(vectors, { graph, rowOf });
    const report = checkHnsw(after);
    expect(report.problems).toEqual([]);
    expect(report.chainedCount).toBeGreaterThan(1000);
    expect(recallOf(index, stage.flat, distinct, { k: 30 })).toBe(1);
  });

  test.each([
    ['others', 500],
    ['nothing else', 0],
  ])('copies of one row have no links to carry over: they and %s are inserted', (_, others) => {
    const rng = createRng(seed);
    const [one] = drawn(rng, 1);
    const old = Array.from({ length: 1000 }, () => one!);
    const { graph } = built(old);
    const vectors = [...old, ...old.slice(0, 500 - others), ...drawn(rng, others)];
    const { graph: after, index, stage } = built(vectors, { graph, rowOf: Uint32Array.from(old.keys()) });
    expect(checkHnsw(after).problems).toEqual([]);
    expect(recallOf(index, stage.flat, [one!, ...drawn(rng, 20)], { ef: 200 })).toBe(1);
  });

  test('rows keep the links that are left, with candidates for the others; who lost most is linked again', () => {
    const rng = createRng(seed);
    const old = drawn(rng, 1000);
    const { graph } = built(old);
    // The nearest to one point go: rows near it lose most of their links.
    const rowOf = Uint32Array.from(old, (vector, row) => (Math.hypot(...vector) < 4.2 ? none : row));
    const { graph: empty } = built(drawn(rng, 1));
    const target = {
      ...empty,
      count: 1000,
      links: new Uint32Array(1000 * 32).fill(none),
      linkStride: 32,
      next: new Uint32Array(1000).fill(none),
    };
    const patched = new Map<number, { readonly candidates: readonly number[]; readonly lost: number }>();
    const steps = carryLinks(target, { graph, rowOf }, (row, candidates, lost) =>
      patched.set(row, { candidates: [...candidates], lost }),
    );
    let end = steps.next();
    while (end.done !== true) end = steps.next();
    const { states } = end.value;
    const linksOf = (links: Uint32Array, stride: number, row: number): number[] =>
      [...links.subarray(row * stride, row * stride + 32)].filter((link) => link !== none);
    const seen = new Set<number>();
    for (let row = 0; row < 1000; row += 1) {
      if (rowOf[row] === none) continue;
      const before = linksOf(graph.links, graph.linkStride, row);
      const left = before.filter((link) => rowOf[link] !== none);
      const isStrong = left.length >= 0.5 * before.length;
      seen.add(states[row]!);
      expect(states[row]).toBe(isStrong ? rowStates.linked : rowStates.linkAgain);
      expect(linksOf(target.links, 32, row)).toEqual(isStrong ? left : []);
      const lost = before.length - left.length;
      expect(patched.get(row)?.lost ?? 0).toBe(isStrong ? lost : 0);
      for (const candidate of patched.get(row)?.candidates ?? []) expect(rowOf[candidate]).not.toBe(none);
    }
    expect([...seen].sort()).toEqual([rowStates.linked, rowStates.linkAgain]);
  });

  test('too little of it left: not worth it', () => {
    const rng = createRng(seed);
    const old = drawn(rng, 500);
    const { graph } = built(old);
    const most = Uint32Array.from(old, (_, row) => (row % 4 === 0 ? none : row));
    expect(isWorthReusing({ graph, rowOf: most }, 500)).toBe(false);
    const all = Uint32Array.from(old, (_, row) => row);
    expect(isWorthReusing({ graph, rowOf: all }, 1200)).toBe(true);
    expect(isWorthReusing({ graph, rowOf: all }, 1300)).toBe(false);
  });
});
