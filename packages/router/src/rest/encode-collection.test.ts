import type { CollectionRecord } from '@quiver/model';
import type { CollectionState } from '@quiver/rpc';
import { expect, test } from 'vitest';
import type { CollectionInfo } from '../api.ts';
import { collectionInfoJson } from './encode-collection.ts';

type Graph = CollectionState['idleSegments'][number]['graphs'][number];

function infoOf(
  segments: readonly { readonly points: number; readonly graphs: readonly Graph[] }[],
): CollectionInfo {
  const state = {
    status: 'green',
    optimizerError: null,
    pointsCount: 0,
    indexedVectorsCount: 0,
    segmentsCount: segments.length,
    payloadIndexPoints: {},
    updateQueueLength: 0,
    idleSegments: segments.map((segment, id) => ({ id, kind: 'sealed', ...segment })),
    liveRecall: [],
  } as unknown as CollectionState;
  const record = { payloadSchema: {} } as CollectionRecord;
  return { record, config: {}, state } as unknown as CollectionInfo;
}

function graphOf(codes: string, bits: number, measured: Graph['measured']): Graph {
  return { vector: 'text', codes, bits, rowBytes: 1, measured, curves: [] };
}

test('what searches read of each vector is told with the means of what was measured', () => {
  const info = infoOf([
    { points: 300, graphs: [graphOf('neighbour_codes', 1, { recall: 0.96, recallInt8: 0.95 })] },
    { points: 100, graphs: [graphOf('neighbour_codes', 1, { recall: 0.92, recallInt8: 0.91 })] },
    { points: 50, graphs: [graphOf('int8', 8, null)] },
    { points: 7, graphs: [] },
  ]);
  const { codes } = JSON.parse(JSON.stringify(collectionInfoJson(info))) as {
    codes: Record<string, unknown>[];
  };
  expect(codes).toEqual([
    {
      vector: 'text',
      codes: 'neighbour_codes',
      bits: 1,
      segments: 2,
      points: 400,
      recall: expect.closeTo(0.95) as number,
      recall_int8: expect.closeTo(0.94) as number,
    },
    { vector: 'text', codes: 'int8', bits: 8, segments: 1, points: 50 },
  ]);
});

test('of a collection without graphs nothing is told that Qdrant does not tell', () => {
  expect(collectionInfoJson(infoOf([{ points: 7, graphs: [] }]))).not.toHaveProperty('codes');
});
