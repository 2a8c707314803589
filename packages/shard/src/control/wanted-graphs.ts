/** The graphs that a collection's settings ask for, and whether one that there is was built by them. Pure. */
import { denseVectors, type CollectionRecord } from '@quiver/model';
import { quantizationOf, type GraphDescriptor, type GraphParams } from '@quiver/segment';

/** By vector name. */
export function graphsOf(record: CollectionRecord): Map<string, GraphParams> {
  const { hnsw_config: base, quantization_config: codes, params } = record.config;
  return new Map(
    [...denseVectors(params)].map(([name, vector]) => {
      const own = vector.hnsw_config;
      return [
        name,
        {
          m: own?.m ?? base.m,
          efConstruct: own?.ef_construct ?? base.ef_construct,
          quantization: quantizationOf(vector.quantization_config ?? codes),
        },
      ];
    }),
  );
}

/** A graph of a vector that the collection has no longer is nobody's concern. */
export function isOutdated(
  { vector, m, efConstruct, quantization }: GraphDescriptor,
  wanted: ReadonlyMap<string, GraphParams>,
): boolean {
  const params = wanted.get(vector);
  if (params === undefined) return false;
  // Equal specifications have equal JSON.
  const isSameCodes = JSON.stringify(params.quantization) === JSON.stringify(quantization);
  return params.m !== m || params.efConstruct !== efConstruct || !isSameCodes;
}
