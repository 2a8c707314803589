/** What a segment's graphs consist of, for reports: the codes that walks read, and what was measured when they were chosen. */
import { viewGraph, type GraphView, type Quantization, type RecallCurve } from '@quiver/ann';
import { subregion } from '@quiver/kernel';
import type { SegmentReader } from './segment.ts';

export interface MeasuredChoice {
  readonly recall: number;
  readonly recallInt8?: number;
  readonly recallRows?: number;
  readonly explainedVariance?: number;
}

export interface GraphFacts {
  readonly vector: string;
  /**
   * `int8`, `rows` (the stored rows themselves: codes could not tell them apart, or are no smaller), `neighbour_codes`, `components`
   * (int8 codes of leading principal components), or the kind that the collection asked for.
   */
  readonly codes: 'int8' | 'rows' | 'neighbour_codes' | 'components' | Quantization['kind'];
  /** Bits an element of the codes. */
  readonly bits: number;
  /** Of a row's codes, links and terms; the stored row comes on top. */
  readonly rowBytes: number;
  /**
   * Mean recall@10 that the builder measured when it took neighbour codes and that of int8 codes; when it took components, and that
   * of walks by the rows, with the share of the variance that components explain; else null.
   */
  readonly measured: MeasuredChoice | null;
  /** Recall by beam width, as the builder measured it; what `target_recall` goes by. Empty: it was not measured. */
  readonly curves: readonly RecallCurve[];
}

export function graphFacts({ descriptor, views }: SegmentReader): GraphFacts[] {
  return descriptor.graphs.map(({ vector, quantization, offset, bytes }) => {
    const graph = viewGraph(views.memory.buffer, subregion(descriptor.core, offset, bytes));
    return {
      vector,
      ...codesOf(graph, quantization),
      rowBytes: graph.blockBytes,
      measured: measuredOf(graph),
      curves: graph.curves,
    };
  });
}

function measuredOf({ neighbourCodes, projection }: GraphView): MeasuredChoice | null {
  if (neighbourCodes !== null)
    return { recall: neighbourCodes.recall, recallInt8: neighbourCodes.recallInt8 };
  if (projection === null) return null;
  const { recall, recallRows, explained } = projection;
  return { recall, recallRows, explainedVariance: explained };
}

/** The kernels' number of an element of a byte is 1 or 2; that of floats 0, of halves 3. */
const bitsOfElement = [32, 8, 8, 16] as const;

function codesOf(graph: GraphView, quantization: Quantization | null): Pick<GraphFacts, 'codes' | 'bits'> {
  const element = bitsOfElement[graph.mode >> 2] ?? 32;
  if (graph.quantised !== null) return { codes: quantization?.kind ?? 'int8', bits: graph.quantised.bits };
  if (graph.walksRows || element === 8) return { codes: 'rows', bits: element };
  if (graph.neighbourCodes !== null) return { codes: 'neighbour_codes', bits: 4 / graph.neighbourCodes.dims };
  if (graph.projection !== null)
    return { codes: 'components', bits: (8 * graph.projection.components) / graph.dim };
  return { codes: quantization?.kind ?? 'int8', bits: 8 };
}
