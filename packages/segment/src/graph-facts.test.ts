import { createRng } from '@quiver/kernel';
import { expect, test } from 'vitest';
import { graphFacts } from './graph-facts.ts';
import { segmentSchemaOf } from './schema.ts';
import { createTestReplica } from './testing/replica.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);

test(`many long vectors that vary along few directions get codes of components (QUIVER_SEED=${seed})`, () => {
  const rng = createRng(seed);
  const [size, rows, sources] = [448, 18_500, 12];
  const directions = Array.from({ length: sources }, () =>
    Float32Array.from({ length: size }, () => rng.normal()),
  );
  const replica = createTestReplica(
    segmentSchemaOf({
      vectors: { size, distance: 'Euclid' },
      shard_number: 1,
      replication_factor: 1,
      write_consistency_factor: 1,
      on_disk_payload: false,
    }),
    2_000,
  );
  for (let id = 0; id < rows; id += 1) {
    const values = new Float32Array(size);
    for (const direction of directions) {
      const share = rng.normal();
      for (let i = 0; i < size; i += 1) values[i]! += share * direction[i]!;
    }
    replica.upsert(id, '{}', new Map([['', { kind: 'dense', values }]]));
  }
  replica.publish();
  replica.merge(new Map([['', { m: 8, efConstruct: 30, quantization: null }]]), 1);
  const [facts] = graphFacts(replica.segments[0]!);
  expect(facts).toMatchObject({ codes: 'components', bits: 2, rowBytes: 192 });
  expect(facts!.measured!.explainedVariance).toBeGreaterThan(0.99);
  expect(facts!.measured!.recall).toBeGreaterThanOrEqual(facts!.measured!.recallRows! - 0.005);
  expect(facts!.measured!.recallInt8).toBeUndefined();
});
