/** The graphs that a collection's settings ask for, and whether one that there is was built by them. Pure. */
import { denseVectors, type CollectionRecord } from '@quiver/model';
import {
  canBeInFile,
  graphEfConstruct,
  graphLinks,
  quantizationOf,
  type GraphDescriptor,
  type GraphParams,
  type LinkedPath,
  type SegmentDescriptor,
} from '@quiver/segment';

/** By vector name, within the limits of graphs: what is asked beyond them is no reason to build again. */
export function graphsOf(record: CollectionRecord): ReadonlyMap<string, GraphParams> {
  let graphs = graphsByRecord.get(record);
  if (graphs === undefined) graphsByRecord.set(record, (graphs = makeGraphsOf(record)));
  return graphs;
}

/** Every write asks, and a record does not change. */
const graphsByRecord = new WeakMap<CollectionRecord, ReadonlyMap<string, GraphParams>>();

function makeGraphsOf(record: CollectionRecord): ReadonlyMap<string, GraphParams> {
  const { hnsw_config: base, quantization_config: codes, params } = record.config;
  const inline = inlineVectorsOf(record);
  return new Map(
    [...denseVectors(params)].map(([name, vector]) => {
      const own = vector.hnsw_config;
      return [
        name,
        {
          m: graphLinks(own?.m ?? base.m),
          efConstruct: graphEfConstruct(own?.ef_construct ?? base.ef_construct),
          quantization: quantizationOf(vector.quantization_config ?? codes),
          payloadLinks: {
            m: graphLinks(own?.payload_m ?? base.payload_m ?? own?.m ?? base.m),
            fullScanThresholdKib: own?.full_scan_threshold ?? base.full_scan_threshold,
            fields: linkedFieldsOf(record),
          },
          isInline: inline.has(name),
        },
      ];
    }),
  );
}

/** KiB of f32 vectors from which a segment gets a graph; 0: none does. */
export function indexingThresholdKibOf({ config }: CollectionRecord): number {
  return config.optimizer_config.indexing_threshold ?? 10_000;
}

/** Each takes 8 * payload_m bytes of every row, and its share of the build. */
const linkedFieldsMax = 6;
const keyLengthMax = 512;
const linkedTypes: ReadonlySet<string> = new Set(['keyword', 'uuid', 'bool', 'integer', 'float', 'datetime']);

/** Payload indexes within whose values graphs link, those of tenants first. */
function linkedFieldsOf({ payloadSchema }: CollectionRecord): LinkedPath[] {
  return Object.entries(payloadSchema)
    .filter(([key, { data_type: type, params }]) => {
      return linkedTypes.has(type) && params?.enable_hnsw !== false && key.length <= keyLengthMax;
    })
    .map(([key, schema]) => ({ key, schema }))
    .sort((a, b) => rankOf(a) - rankOf(b))
    .slice(0, linkedFieldsMax);
}

/** Then fields of values before fields of numbers: conditions ask for few of their blocks. */
function rankOf({ schema }: LinkedPath): number {
  if (schema.params?.is_tenant === true) return 0;
  return ['keyword', 'uuid', 'bool'].includes(schema.data_type) ? 1 : 2;
}

/** By vector name: most threads at its graph, 0 = all there are. */
export function indexingThreadsOf({ config }: CollectionRecord): Map<string, number> {
  const { hnsw_config: base, params } = config;
  return new Map(
    [...denseVectors(params)].map(([name, { hnsw_config: own }]) => [
      name,
      own?.max_indexing_threads ?? base.max_indexing_threads ?? 0,
    ]),
  );
}

/** Vectors whose rows are to stay on the disk. */
export function coldVectorsOf({ config }: CollectionRecord): Set<string> {
  const cold = [...denseVectors(config.params)].filter(([, { memory, on_disk: onDisk }]) =>
    memory === undefined ? onDisk === true : memory === 'cold',
  );
  return new Set(cold.map(([name]) => name));
}

/**
 * Of the vectors whose rows stay on the disk those whose graphs shall hold codes of the neighbours: `inline_storage`. Codes that were asked for
 * lie beside the links in any case.
 */
export function inlineVectorsOf(record: CollectionRecord): Set<string> {
  const { hnsw_config: base, quantization_config: codes, params } = record.config;
  const cold = coldVectorsOf(record);
  const inline = [...denseVectors(params)].filter(
    ([name, { hnsw_config: own, quantization_config: ownCodes }]) => {
      const isAsked = own?.inline_storage ?? base.inline_storage ?? false;
      return isAsked && cold.has(name) && quantizationOf(ownCodes ?? codes) === null;
    },
  );
  return new Set(inline.map(([name]) => name));
}

/**
 * Rows that the collection wants on the disk are in memory, and need not be. (The other way round is no reason to build
 * anything: memory was short, or the next start loads them.)
 */
export function isPlacedOtherwise(
  { graphs, schema, rowFiles }: SegmentDescriptor,
  cold: ReadonlySet<string>,
  needingRows: ReadonlySet<string>,
): boolean {
  return graphs.some(
    ({ vector }) =>
      cold.has(vector) &&
      !needingRows.has(vector) &&
      canBeInFile(schema, vector) &&
      rowFiles.every((one) => one.vector !== vector || one.isResident),
  );
}

/** A graph of a vector that the collection has no longer is nobody's concern. */
export function isOutdated(
  { vector, m, efConstruct, quantization, isCompact, isInline, payloadLinks }: GraphDescriptor,
  wanted: ReadonlyMap<string, GraphParams>,
): boolean {
  const params = wanted.get(vector);
  if (params === undefined) return false;
  // Equal specifications have equal JSON.
  const built = isCompact ? null : quantization;
  const isSameCodes = JSON.stringify(params.quantization) === JSON.stringify(built);
  const isOtherLinks = payloadLinks !== null && payloadLinks.m !== (params.payloadLinks?.m ?? 0);
  if (isOtherLinks || !isSameCodes || isInline !== (params.isInline ?? false)) return true;
  return params.m !== m || params.efConstruct !== efConstruct;
}
