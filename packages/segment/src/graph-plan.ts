/**
 * Graphs of a segment to be: what the collection asks for, and what that takes. Pure: no rows are looked at.
 */
import {
  canHaveNeighbourCodes,
  hnswBytes,
  quantisedHnswBytes,
  type HnswShape,
  type NeighbourCodesWish,
  type Quantization,
} from '@quiver/ann';
import { isFloat, segmentRowsMax } from '@quiver/kernel';
import type { GraphDescriptor, LinkedPath, PayloadLinksPlan } from './descriptor.ts';
import { linksShapeOf } from './linkable-fields.ts';
import { align64, coreLayout } from './layout.ts';
import { rowsOfKib } from './plan.ts';
import type { DenseSchema, SegmentSchema } from './schema.ts';

export interface GraphParams {
  /** 0 = no graph. */
  readonly m: number;
  readonly efConstruct: number;
  /** Codes that the collection asks for; null = the engine's own choice. */
  readonly quantization: Quantization | null;
  /** Fields whose values get links of their own; absent = none. */
  readonly payloadLinks?: PayloadLinksParams | null;
  /** Walks shall read neighbour codes though the rows are in a file only. REQUIRES: `quantization` is null. */
  readonly isInline?: boolean;
}

export interface PayloadLinksParams {
  /** Half of a row's links. */
  readonly m: number;
  /** KiB of vectors below which a filtered search scans: values of fewer get none. */
  readonly fullScanThresholdKib: number;
  readonly fields: readonly LinkedPath[];
}

/** Also without links over all rows (m = 0) a graph may link within the values of payload fields. */
export function wantsGraph({ m, payloadLinks = null }: GraphParams): boolean {
  return m > 0 || (payloadLinks !== null && payloadLinks.m > 0 && payloadLinks.fields.length > 0);
}

/** Graphs over bytes read the rows themselves, all others have codes. */
export function canBeInFile(schema: SegmentSchema, name: string): boolean {
  const vector = schema.vectors.find((one) => one.name === name);
  return vector?.kind === 'dense' && isFloat(vector.element);
}

/** The graph's own limits. */
const [linksMin, linksMax, buildEfMax] = [2, 512, 4096];

/** `m` or `payload_m` as a graph has it; 0 = no links. */
export function graphLinks(m: number): number {
  return m <= 0 ? 0 : Math.min(linksMax, Math.max(linksMin, m));
}

/** `ef_construct` as a graph has it. */
export function graphEfConstruct(efConstruct: number): number {
  return Math.min(buildEfMax, Math.max(1, efConstruct));
}

/** Codes of half a byte: with exact scores of what they find, recall is that of codes of a byte. */
const compactCodes: Quantization = { kind: 'turbo', bits: 4 };

export type SizedGraph = Omit<GraphDescriptor, 'vector' | 'offset'>;

/** A graph as it would be built, with what that takes. */
export function sizedGraph(
  { metric, element, dim }: DenseSchema,
  params: GraphParams,
  choice: {
    readonly rows: number;
    readonly threads: number;
    readonly isCompact: boolean;
    readonly neighbourCodes: NeighbourCodesWish;
    readonly payloadLinks: PayloadLinksPlan | null;
  },
): SizedGraph {
  const { rows, threads, isCompact, payloadLinks } = choice;
  const m = graphLinks(params.m);
  const efConstruct = graphEfConstruct(params.efConstruct);
  const quantization = isCompact ? compactCodes : params.quantization;
  const canHave = !isCompact && mayHaveNeighbourCodes({ metric, element, dim }, params);
  const neighbourCodes = canHave ? choice.neighbourCodes : 'never';
  const size = hnswBytes({
    count: rows,
    dim,
    element,
    m: Math.max(2, m),
    threads,
    neighbourCodes,
    ...(m === 0 && { projection: 'never' as const }),
    quantization,
    payloadLinks: linksShapeOf(payloadLinks),
  });
  const { isInline = false } = params;
  return { m, efConstruct, neighbourCodes, quantization, isCompact, isInline, payloadLinks, ...size };
}

/** Rows of floats by any metric but Manhattan, where the codes are the engine's choice. */
export function mayHaveNeighbourCodes(
  { metric, element, dim }: Pick<DenseSchema, 'metric' | 'element' | 'dim'>,
  { m, quantization }: GraphParams,
): boolean {
  return m > 0 && quantization === null && canHaveNeighbourCodes(metric, element, dim);
}

const sampleRows = 4_096;

/** Bytes of a row, payload apart, in a segment that is being built with as few rows of vectors in memory as can be. */
export function coldRowBytes(
  schema: SegmentSchema,
  graphs: ReadonlyMap<string, GraphParams>,
  threads: number,
): number {
  const choice = {
    rows: sampleRows,
    threads,
    isCompact: false,
    neighbourCodes: 'never',
    payloadLinks: null,
  } as const;
  const wants = (name: string): boolean => {
    const params = graphs.get(name);
    return params !== undefined && wantsGraph(params);
  };
  const graphOf = (vector: DenseSchema): SizedGraph | null =>
    wants(vector.name) ? sizedGraph(vector, graphs.get(vector.name)!, choice) : null;
  const names = schema.vectors.map(({ name }) => name);
  const cold = new Set(names.filter((name) => wants(name) && canBeInFile(schema, name)));
  return placeGraphs(schema, sampleRows, graphOf, cold).bytes / sampleRows;
}

/** A value of fewer rows is scanned as soon as walked. */
const blockRowsLeast = 256;

export function payloadLinksPlan(
  { payloadLinks = null }: GraphParams,
  dim: number,
  rows: number,
): PayloadLinksPlan | null {
  if (payloadLinks === null || payloadLinks.m <= 0 || payloadLinks.fields.length === 0) return null;
  const { m, fullScanThresholdKib, fields } = payloadLinks;
  const blockRowsMin = Math.max(blockRowsLeast, rowsOfKib(fullScanThresholdKib, dim));
  if (rows < blockRowsMin) return null;
  return { m: Math.min(linksMax, Math.max(2, m)), blockRowsMin, fields };
}

/** Short vectors gain nothing: rows of a graph are aligned. Manhattan distances are not estimated well enough. */
export function isSmallerCompact({ metric, element, dim }: DenseSchema, m: number, threads: number): boolean {
  const shape: HnswShape = {
    count: segmentRowsMax,
    dim,
    element,
    m: Math.min(linksMax, Math.max(2, m)),
    threads,
    neighbourCodes: 'never',
    quantization: compactCodes,
  };
  const [compact, full] = [quantisedHnswBytes(shape), hnswBytes({ ...shape, quantization: null })];
  return metric !== 'manhattan' && compact.persistedBytes < 0.9 * full.persistedBytes;
}

/**
 * Where the graphs lie behind the other parts of a core of `rows` rows.
 * @param sizeOf - a vector's graph and what its region takes; null = none
 * @param cold - vectors whose rows are in files only
 */
export function placeGraphs(
  schema: SegmentSchema,
  rows: number,
  sizeOf: (vector: DenseSchema) => Omit<GraphDescriptor, 'vector' | 'offset'> | null,
  cold: ReadonlySet<string>,
): { graphs: GraphDescriptor[]; bytes: number } {
  const graphs = [];
  let at = coreLayout(schema, rows, { cold }).bytes;
  for (const vector of schema.vectors) {
    const graph = vector.kind === 'dense' ? sizeOf(vector) : null;
    if (graph === null) continue;
    const bytes = align64(graph.bytes);
    graphs.push({ ...graph, vector: vector.name, offset: at, bytes });
    at += bytes;
  }
  return { graphs, bytes: at };
}
