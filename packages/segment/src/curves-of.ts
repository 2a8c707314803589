/** The recall curves of a segment's graphs, read out of shared memory once in each thread: graphs do not change. */
import { viewGraph, type RecallCurve } from '@quiver/ann';
import { subregion } from '@quiver/kernel';
import type { GraphDescriptor } from './descriptor.ts';
import type { SegmentReader } from './segment.ts';

const known = new WeakMap<SegmentReader, Map<string, readonly RecallCurve[]>>();

export function curvesOf(reader: SegmentReader, graph: GraphDescriptor): readonly RecallCurve[] {
  let byName = known.get(reader);
  if (byName === undefined) known.set(reader, (byName = new Map<string, readonly RecallCurve[]>()));
  let curves = byName.get(graph.vector);
  if (curves === undefined) {
    const region = subregion(reader.descriptor.core, graph.offset, graph.bytes);
    byName.set(graph.vector, (curves = viewGraph(reader.views.memory.buffer, region).curves));
  }
  return curves;
}
