/**
 * Writes files of rows anew from the records of the points, when what a file holds is not what was written. Always: rows that
 * are alive get the vector that is on record, which is the one they were made of; nobody sees the others.
 */
import { encodeRow } from '@quiver/kernel';
import type { RowFileDescriptor, SegmentReader } from '@quiver/segment';
import { blobChunkBytes, type BlobStore, type Store } from '@quiver/storage';
import { decodeVector, keys } from './records.ts';

export interface RewriteContext {
  /** Of the replica. */
  readonly number: number;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly takeBlobId: () => number;
}

/** @returns the segment's files of rows, new ones in place of the damaged */
export async function rewriteRows(
  reader: SegmentReader,
  damaged: ReadonlySet<number>,
  context: RewriteContext,
): Promise<RowFileDescriptor[]> {
  const files: RowFileDescriptor[] = [];
  for (const one of reader.descriptor.rowFiles)
    files.push(damaged.has(one.file) ? { ...one, file: await rewrite(reader, one.vector, context) } : one);
  return files;
}

async function rewrite(
  reader: SegmentReader,
  vector: string,
  { number, store, blobs, takeBlobId }: RewriteContext,
): Promise<number> {
  const view = reader.views.vectors.find(({ schema }) => schema.name === vector);
  if (view?.kind !== 'dense') throw new Error(`invariant broken: rows of "${vector}", which is not dense`);
  const { stride } = view.rows;
  const rowCount = reader.descriptor.capacityRows;
  const row = new Uint8Array(stride);
  const chunk = new Uint8Array(blobChunkBytes);
  const blob = takeBlobId();
  let [held, chunks] = [0, 0];
  for (let at = 0; at < rowCount; at += 1) {
    const stored = store.getSync(keys.vector(number, vector, reader.id(at)));
    const found = stored === undefined ? null : decodeVector(stored);
    row.fill(0);
    if (found?.kind === 'dense' && found.values.length === view.rows.dim)
      encodeRow(row.buffer, 0, view.rows, found.values);
    for (let from = 0; from < stride;) {
      const count = Math.min(stride - from, blobChunkBytes - held);
      chunk.set(row.subarray(from, from + count), held);
      from += count;
      held += count;
      const isLast = at === rowCount - 1 && from === stride;
      if (held < blobChunkBytes && !isLast) continue;
      await blobs.putChunk(blob, chunks, chunk.slice(0, held), rowCount * stride, { inFile: true });
      chunks += 1;
      held = 0;
    }
  }
  return blob;
}
