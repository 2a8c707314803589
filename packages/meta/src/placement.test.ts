import { describe, expect, test } from 'vitest';
import type { NodeRecord } from '@quiver/model';
import { placeReplicas } from './placement.ts';
import { emptyState, type MetaState } from './state.ts';
import { testNode } from './testing/records.ts';

const node = (id: number, part: Partial<NodeRecord> = {}): NodeRecord => ({
  ...testNode,
  id,
  state: 'up',
  stateSinceMs: 0,
  ...part,
});
const withNodes = (...nodes: NodeRecord[]): MetaState => ({
  ...emptyState,
  nodes: new Map(nodes.map((one) => [one.id, one])),
});
const place = (state: MetaState, shards: number, factor: number): number[][] =>
  placeReplicas(state, { shards, factor, collection: null, isFull: (id) => id > 100 });

describe('placement', () => {
  test('replicas and primaries are spread evenly, never two of a shard on a node', () => {
    const placed = place(withNodes(node(1), node(2), node(3), node(4)), 8, 2);
    const loads = [1, 2, 3, 4].map((id) => placed.flat().filter((one) => one === id).length);
    expect(loads).toEqual([4, 4, 4, 4]);
    const primaries = [1, 2, 3, 4].map((id) => placed.filter(([first]) => first === id).length);
    expect(primaries).toEqual([2, 2, 2, 2]);
    for (const nodes of placed) expect(new Set(nodes).size).toBe(2);
  });

  test('replicas of a shard go to different zones first', () => {
    const state = withNodes(node(1, { zone: 'a' }), node(2, { zone: 'a' }), node(3, { zone: 'b' }));
    for (const nodes of place(state, 4, 2)) expect(nodes).toContain(3);
  });

  test('full disks get replicas only where no others are left', () => {
    const state = withNodes(node(1), node(101), node(102), node(2));
    for (const nodes of place(state, 3, 2)) expect(nodes.toSorted()).toEqual([1, 2]);
    for (const nodes of place(state, 3, 3)) expect(nodes).toEqual(expect.arrayContaining([1, 2]));
    expect(place(withNodes(node(101)), 1, 1)).toEqual([[101]]);
  });

  test('nodes that are down, draining or without the role get none', () => {
    const state = withNodes(
      node(1, { state: 'down' }),
      node(2, { state: 'draining' }),
      node(3, { roles: ['router'] }),
      node(4),
    );
    expect(place(state, 2, 3)).toEqual([[4], [4]]);
  });

  test('with no node at all, the caller is told to come back', () => {
    expect(() => place(emptyState, 1, 1)).toThrow('no node takes replicas yet');
    expect(place(emptyState, 0, 1)).toEqual([]);
    const state = withNodes(
      node(1, { state: 'down' }),
      node(2, { state: 'draining' }),
      node(3, { roles: [] }),
    );
    expect(() => place(state, 1, 1)).toThrow('of 2 shard nodes 1 are draining, the others are down');
  });
});
