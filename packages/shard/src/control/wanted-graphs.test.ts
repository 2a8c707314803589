import type { CollectionRecord, QuantizationConfig } from '@quiver/model';
import type { GraphDescriptor } from '@quiver/segment';
import { expect, test } from 'vitest';
import { graphsOf, isOutdated } from './wanted-graphs.ts';

const binary: QuantizationConfig = { binary: { encoding: 'two_bits', always_ram: true } };

function recordOf(
  quantization: QuantizationConfig | null,
  own?: QuantizationConfig,
): Pick<CollectionRecord, 'config'> {
  const vector = { size: 8, distance: 'Dot' } as const;
  return {
    config: {
      params: { vectors: { a: vector, b: { ...vector, ...(own && { quantization_config: own }) } } },
      hnsw_config: { m: 16, ef_construct: 100 },
      quantization_config: quantization,
    },
  } as unknown as CollectionRecord;
}

const graph = { vector: 'b', m: 16, efConstruct: 100, quantization: null } as unknown as GraphDescriptor;

test("a vector's own quantisation goes before the collection's", () => {
  const turbo = { turbo: { bits: 'bits2' } } as const;
  const wanted = graphsOf(recordOf(binary, turbo) as CollectionRecord);
  expect(wanted.get('a')?.quantization).toEqual({ kind: 'binary', bits: 2, queryBits: 2 });
  expect(wanted.get('b')?.quantization).toEqual({ kind: 'turbo', bits: 2 });
});

test('a graph is outdated when its codes are not those asked for, and not by where they should lie', () => {
  const wantedBy = (config: QuantizationConfig | null): ReturnType<typeof graphsOf> =>
    graphsOf(recordOf(config) as CollectionRecord);
  expect(isOutdated(graph, wantedBy(null))).toBe(false);
  expect(isOutdated(graph, wantedBy(binary))).toBe(true);
  const built = { ...graph, quantization: wantedBy(binary).get('b')!.quantization };
  expect(isOutdated(built, wantedBy(binary))).toBe(false);
  expect(isOutdated(built, wantedBy({ binary: { encoding: 'two_bits', memory: 'cold' } }))).toBe(false);
  expect(isOutdated(built, wantedBy({ binary: { encoding: 'one_bit' } }))).toBe(true);
  expect(isOutdated(built, wantedBy(null))).toBe(true);
});
