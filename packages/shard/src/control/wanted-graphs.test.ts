import type { CollectionRecord, QuantizationConfig } from '@quiver/model';
import type { GraphDescriptor } from '@quiver/segment';
import { expect, test } from 'vitest';
import { graphsOf, inlineVectorsOf, isOutdated } from './wanted-graphs.ts';

const binary: QuantizationConfig = { binary: { encoding: 'two_bits', always_ram: true } };

function recordOf(
  quantization: QuantizationConfig | null,
  own?: QuantizationConfig,
  payloadM?: number,
): CollectionRecord {
  const vector = { size: 8, distance: 'Dot' } as const;
  return {
    config: {
      params: { vectors: { a: vector, b: { ...vector, ...(own && { quantization_config: own }) } } },
      hnsw_config: { m: 16, ef_construct: 100, payload_m: payloadM, full_scan_threshold: 10 },
      quantization_config: quantization,
    },
    payloadSchema: {
      price: { data_type: 'float', params: null },
      text: { data_type: 'text', params: null },
      colour: { data_type: 'keyword', params: null },
      plain: { data_type: 'keyword', params: { type: 'keyword', enable_hnsw: false } },
      tenant: { data_type: 'keyword', params: { type: 'keyword', is_tenant: true } },
    },
  } as unknown as CollectionRecord;
}

const graph = {
  vector: 'b',
  m: 16,
  efConstruct: 100,
  quantization: null,
  isInline: false,
  payloadLinks: null,
} as unknown as GraphDescriptor;

test('graphs are inline where that is asked for and the rows are on the disk without codes of their own', () => {
  const vector = { size: 8, distance: 'Dot', on_disk: true, hnsw_config: { inline_storage: true } } as const;
  const record = {
    config: {
      params: {
        vectors: {
          a: vector,
          inMemory: { ...vector, on_disk: false },
          coded: { ...vector, quantization_config: { scalar: { type: 'int8' } } },
          not: { ...vector, hnsw_config: { inline_storage: false } },
          byDefault: { ...vector, hnsw_config: {} },
        },
      },
      hnsw_config: { m: 16, ef_construct: 100, full_scan_threshold: 10, inline_storage: true },
      quantization_config: null,
    },
    payloadSchema: {},
  } as unknown as CollectionRecord;
  expect(inlineVectorsOf(record)).toEqual(new Set(['a', 'byDefault']));
  const wanted = graphsOf(record);
  expect(wanted.get('a')?.isInline).toBe(true);
  expect(isOutdated({ ...graph, vector: 'a', isInline: true }, wanted)).toBe(false);
  expect(isOutdated({ ...graph, vector: 'a' }, wanted)).toBe(true);
});

test("a vector's own quantisation goes before the collection's", () => {
  const turbo = { turbo: { bits: 'bits2' } } as const;
  const wanted = graphsOf(recordOf(binary, turbo));
  expect(wanted.get('a')?.quantization).toEqual({ kind: 'binary', bits: 2, queryBits: 2 });
  expect(wanted.get('b')?.quantization).toEqual({ kind: 'turbo', bits: 2 });
});

test('a graph is outdated when its codes are not those asked for, and not by where they should lie', () => {
  const wantedBy = (config: QuantizationConfig | null): ReturnType<typeof graphsOf> =>
    graphsOf(recordOf(config));
  expect(isOutdated(graph, wantedBy(null))).toBe(false);
  expect(isOutdated(graph, wantedBy(binary))).toBe(true);
  const built = { ...graph, quantization: wantedBy(binary).get('b')!.quantization };
  expect(isOutdated(built, wantedBy(binary))).toBe(false);
  expect(isOutdated(built, wantedBy({ binary: { encoding: 'two_bits', memory: 'cold' } }))).toBe(false);
  expect(isOutdated(built, wantedBy({ binary: { encoding: 'one_bit' } }))).toBe(true);
  expect(isOutdated(built, wantedBy(null))).toBe(true);
});

test('graphs link within the values of indexed fields, those of tenants first, as wide as payload_m or m', () => {
  const linksOf = (payloadM?: number) =>
    graphsOf(recordOf(null, undefined, payloadM)).get('a')!.payloadLinks!;
  expect(linksOf().fields.map(({ key }) => key)).toEqual(['tenant', 'colour', 'price']);
  expect([linksOf().m, linksOf(24).m, linksOf(1).m, linksOf(0).m]).toEqual([16, 24, 2, 0]);
  const built = { ...graph, payloadLinks: { m: 16, blockRowsMin: 256, fields: [] } };
  expect(isOutdated(built, graphsOf(recordOf(null)))).toBe(false);
  for (const payloadM of [0, 24]) {
    expect(isOutdated(built, graphsOf(recordOf(null, undefined, payloadM)))).toBe(true);
    // Sealed before there were indexes, or without room: that is no reason to build anything.
    expect(isOutdated(graph, graphsOf(recordOf(null, undefined, payloadM)))).toBe(false);
  }
});

test('a graph at its limits is not outdated by settings beyond them', () => {
  const { config, ...rest } = recordOf(null);
  const asked = (m: number, efConstruct: number): ReturnType<typeof graphsOf> =>
    graphsOf({
      ...rest,
      config: { ...config, hnsw_config: { ...config.hnsw_config, m, ef_construct: efConstruct } },
    });
  expect(isOutdated({ ...graph, m: 2, efConstruct: 4096 }, asked(1, 100_000))).toBe(false);
  expect(isOutdated({ ...graph, m: 512, efConstruct: 4 }, asked(10_000, 4))).toBe(false);
  expect(isOutdated({ ...graph, m: 512, efConstruct: 4 }, asked(500, 4))).toBe(true);
});
