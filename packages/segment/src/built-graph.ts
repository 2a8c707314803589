/** What a segment's graph holds beside links over all rows, read out of shared memory once in each thread: graphs do not change. */
import { viewGraph, type PayloadLinksView, type RecallCurve } from '@quiver/ann';
import { subregion } from '@quiver/kernel';
import type { GraphDescriptor } from './descriptor.ts';
import { canonicalKey } from './filter-match.ts';
import type { SegmentReader } from './segment.ts';

export interface BuiltGraph {
  readonly curves: readonly RecallCurve[];
  /** Plain walks go by them. */
  readonly hasNeighbourCodes: boolean;
  /** Fields within whose values it has links; keys as filters have them. */
  readonly linkedFields: readonly PayloadLinksView[];
}

const known = new WeakMap<SegmentReader, Map<string, BuiltGraph>>();

export function builtGraphOf(reader: SegmentReader, graph: GraphDescriptor): BuiltGraph {
  let byName = known.get(reader);
  if (byName === undefined) known.set(reader, (byName = new Map<string, BuiltGraph>()));
  let built = byName.get(graph.vector);
  if (built === undefined) {
    const region = subregion(reader.descriptor.core, graph.offset, graph.bytes);
    const { curves, neighbourCodes, payloadLinks } = viewGraph(reader.views.memory.buffer, region);
    built = {
      curves,
      hasNeighbourCodes: neighbourCodes !== null,
      linkedFields: payloadLinks.map((field) => ({ ...field, key: canonicalKey(field.key) })),
    };
    byName.set(graph.vector, built);
  }
  return built;
}
