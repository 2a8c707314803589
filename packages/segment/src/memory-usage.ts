/**
 * What the shared memory of a segment is taken for. Always: the parts of a segment add up to the bytes of its regions,
 * room for rows to come included.
 */
import type { MemoryPart } from '@quiver/model';
import { blobAlignment, takenBytes } from './blob.ts';
import type { SegmentDescriptor } from './descriptor.ts';
import type { SegmentReader } from './segment.ts';
import { isPresent } from './segment-views.ts';

/** A sealed segment's rows never change, and a payload index makes a new descriptor. */
const counted = new WeakMap<SegmentDescriptor, readonly MemoryPart[]>();

export function memoryUsage(reader: SegmentReader): readonly MemoryPart[] {
  const { descriptor } = reader;
  let parts = counted.get(descriptor);
  if (parts === undefined) {
    parts = count(reader);
    if (descriptor.kind === 'sealed') counted.set(descriptor, parts);
  }
  return parts;
}

function count(reader: SegmentReader): MemoryPart[] {
  const { views } = reader;
  const { schema, graphs, blob, columns, sparse, core } = reader.descriptor;
  const { layout } = views;
  const rows = reader.rowCount();
  const align = blobAlignment(schema);
  const vectors = schema.vectors.map(({ name }, index): MemoryPart => {
    const view = views.vectors[index]!;
    const end = layout.vectors[index + 1]?.present ?? layout.bytes;
    const own = end - layout.vectors[index]!.present;
    if (view.kind === 'dense') return { component: 'vectors', name, bytes: own };
    let pieces = 0;
    for (let row = 0; row < rows; row += 1)
      if (isPresent(view, row)) pieces += takenBytes(view.schema, align, view.refs[2 * row + 1]!);
    return { component: view.kind === 'sparse' ? 'sparse_vectors' : 'vectors', name, bytes: own + pieces };
  });
  const fixed = layout.vectors[0]?.present ?? layout.bytes;
  const inBlob = vectors.reduce((sum, { bytes }) => sum + bytes, 0) - (layout.bytes - fixed);
  const graphParts = graphs.map(({ vector, bytes }): MemoryPart => ({
    component: 'index',
    name: vector,
    bytes,
  }));
  const graphBytes = graphParts.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    ...vectors,
    ...graphParts,
    ...(sparse ?? []).map(({ vector, region }): MemoryPart => ({
      component: 'index',
      name: vector,
      bytes: region.bytes,
    })),
    // With what alignment leaves between the parts.
    { component: 'ids', name: '', bytes: core.bytes - graphBytes - (layout.bytes - fixed) },
    { component: 'payload', name: '', bytes: (blob?.bytes ?? 0) - inBlob },
    ...(columns ?? []).map(({ key, region }): MemoryPart => ({
      component: 'payload_index',
      name: key,
      bytes: region.bytes,
    })),
  ];
}
