/**
 * What two replicas' hosts say to each other about saved segments, beside the messages of replication. Always: a question
 * names its fetch, and an answer to another fetch is ignored; a part carries its own checksum.
 */
import type { StoredSegment } from '@quiver/segment';

/** What is saved at the source: a manifest whose parts are named by their size, too. */
export interface ListedSegments {
  readonly replaySeq: number;
  readonly asOf: number;
  /** Term of the operation `asOf` in the source's order: with it the order up to there is one and the same. */
  readonly asOfTerm: number;
  readonly segments: readonly ListedSegment[];
}

export interface ListedSegment {
  readonly stored: StoredSegment;
  /** Base64 of a bitset of rows. */
  readonly deaths: string;
  readonly parts: readonly { readonly name: string; readonly blob: number; readonly bytes: number }[];
}

export type SegmentMessage =
  | { readonly kind: 'segments_wanted'; readonly fetch: string }
  /** null: nothing that is worth a copy. */
  | { readonly kind: 'segments_listed'; readonly fetch: string; readonly listed: ListedSegments | null }
  | {
      readonly kind: 'part_wanted';
      readonly fetch: string;
      readonly blob: number;
      readonly chunk: number;
    }
  | {
      readonly kind: 'part';
      readonly fetch: string;
      readonly blob: number;
      readonly chunk: number;
      /** null: the blob is there no more; segments were merged. */
      readonly bytes: Uint8Array | null;
      readonly crc: number;
    };

const kinds: ReadonlySet<string> = new Set<SegmentMessage['kind']>([
  'segments_wanted',
  'segments_listed',
  'part_wanted',
  'part',
]);

export function isSegmentMessage(message: { readonly kind: string }): message is SegmentMessage {
  return kinds.has(message.kind);
}
