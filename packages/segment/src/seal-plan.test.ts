// What a plan takes when memory is short: rows leave memory first, then codes become small.
import { expect, test } from 'vitest';
import { createRng } from '@quiver/kernel';
import { segmentSchemaOf } from './schema.ts';
import { planSeal, type SealOptions, type SealPlan } from './seal-plan.ts';
import { createTestReplica, randomUnit } from './testing/replica.ts';

const dim = 384;
const rows = 300;

function planned(
  memory: Pick<SealOptions, 'freeBytes' | 'fullCodesBytesMax'>,
  asked: {
    readonly size?: number;
    readonly distance?: 'Cosine' | 'Manhattan';
    readonly isQuantised?: boolean;
    readonly isInline?: boolean;
    readonly isCold?: boolean;
  } = {},
): SealPlan {
  const { size = dim, distance = 'Cosine', isQuantised = false, isInline = false, isCold = isInline } = asked;
  const schema = segmentSchemaOf({
    vectors: { size, distance },
    shard_number: 1,
    replication_factor: 1,
    write_consistency_factor: 1,
    on_disk_payload: false,
  });
  const replica = createTestReplica(schema, 2 * rows);
  const rng = createRng(1);
  for (let i = 0; i < rows; i += 1)
    replica.upsert(i, '{}', new Map([['', { kind: 'dense', values: randomUnit(rng, size) }]]));
  replica.publish();
  return planSeal(replica.segments, {
    id: 99,
    asOf: replica.applied,
    schema,
    graphs: new Map([
      [
        '',
        {
          m: 16,
          efConstruct: 100,
          quantization: isQuantised ? { kind: 'scalar', quantile: 0.9 } : null,
          isInline,
        },
      ],
    ]),
    ...memory,
    rowFiles: { take: () => 5, cold: new Set(isCold ? [''] : []), resident: new Set() },
    indexingThresholdKib: 1,
    threads: 1,
  });
}

const coreBytes = rows * (4 * dim + 640);

test('rows are in memory where there is room, whatever is left for codes', () => {
  const plan = planned({ freeBytes: 100 * coreBytes, fullCodesBytesMax: 0 });
  expect(plan.rowFiles).toEqual([{ vector: '', file: 5, isResident: true }]);
  expect(plan.graphs[0]).toMatchObject({ quantization: null, isCompact: false });
});

test('rows that do not fit stay in their file, then codes of the engine’s choice take half a byte an element', () => {
  const roomy = planned({ freeBytes: coreBytes, fullCodesBytesMax: coreBytes });
  expect(roomy.rowFiles[0]?.isResident).toBe(false);
  expect(roomy.graphs[0]).toMatchObject({ quantization: null, isCompact: false });
  const short = planned({ freeBytes: coreBytes, fullCodesBytesMax: coreBytes / 10 });
  expect(short.graphs[0]).toMatchObject({ quantization: { kind: 'turbo', bits: 4 }, isCompact: true });
});

test('rows that are to be in their file are in memory for the codes of an inline graph, where there is room', () => {
  const roomy = { freeBytes: 100 * coreBytes, fullCodesBytesMax: 100 * coreBytes };
  const placed = ({ rowFiles, graphs }: SealPlan): unknown => [
    rowFiles[0]?.isResident,
    graphs[0]?.neighbourCodes,
  ];
  expect(placed(planned(roomy, { isCold: true }))).toEqual([false, 'never']);
  expect(placed(planned(roomy, { isInline: true }))).toEqual([true, 'measured']);
  expect(placed(planned({ ...roomy, freeBytes: 3 * coreBytes }, { isInline: true }))).toEqual([
    false,
    'never',
  ]);
  // Such rows have no codes of this kind.
  expect(placed(planned(roomy, { isInline: true, distance: 'Manhattan' }))).toEqual([false, 'never']);
});

test('codes that were asked for, and those that would not become smaller, stay what they are', () => {
  const memory = { freeBytes: 0, fullCodesBytesMax: 0 };
  for (const asked of [{ isQuantised: true }, { size: 32 }, { distance: 'Manhattan' as const }])
    expect(planned(memory, asked).graphs[0], JSON.stringify(asked)).toMatchObject({ isCompact: false });
});
