/**
 * Gives saved segments to a replica that copies everything. Always: what is read is checked before it is sent; answers
 * wait for the node's bandwidth, a bounded number of them.
 */
import { crc32 } from 'node:zlib';
import { termAt, type HistoryEntry } from '@quiver/replication';
import { blobChunkBytes, type BlobStore } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { Bandwidth } from './bandwidth.ts';
import type { Manifest } from './manifest.ts';
import type { ListedSegment, ListedSegments, SegmentMessage } from './segment-message.ts';

export interface SegmentSourceOptions {
  readonly blobs: BlobStore;
  readonly outbound: Bandwidth;
  readonly log: Log;
  /** null while the replica does not lead or is not whole. */
  readonly led: () => { readonly manifest: Manifest; readonly history: readonly HistoryEntry[] } | null;
  readonly send: (to: number, message: SegmentMessage) => void;
}

/** Answers under way, for all who ask. */
const answersMax = 32;

export class SegmentSource {
  readonly #options: SegmentSourceOptions;
  readonly #underWay = new Set<string>();

  constructor(options: SegmentSourceOptions) {
    this.#options = options;
  }

  receive(from: number, message: Extract<SegmentMessage, { kind: 'segments_wanted' | 'part_wanted' }>): void {
    const { fetch } = message;
    const question = message.kind === 'part_wanted' ? `${message.blob}/${message.chunk}` : '';
    const name = `${from}/${fetch}/${question}`;
    if (this.#underWay.has(name) || this.#underWay.size >= answersMax) return;
    this.#underWay.add(name);
    const answering =
      message.kind === 'part_wanted' ? this.#part(from, message) : this.#list(from, message.fetch);
    answering
      .catch((error: unknown) =>
        this.#options.log.warn('segments for a copy are not readable; it builds its own', { error }),
      )
      .finally(() => this.#underWay.delete(name));
  }

  async #list(to: number, fetch: string): Promise<void> {
    const led = this.#options.led();
    const listed = led === null ? null : await this.#listed(led.manifest, led.history);
    this.#options.send(to, { kind: 'segments_listed', fetch, listed });
  }

  /** Without a graph, building anew costs less than a copy. */
  async #listed(manifest: Manifest, history: readonly HistoryEntry[]): Promise<ListedSegments | null> {
    if (manifest.segments.every(({ stored }) => stored.graphs.length === 0)) return null;
    const segments: ListedSegment[] = [];
    for (const { stored, parts, deaths } of manifest.segments) {
      const listed: { name: string; blob: number; bytes: number }[] = [];
      for (const [name, blob] of Object.entries(parts)) {
        const bytes = await this.#options.blobs.size(blob);
        if (bytes === undefined) return null;
        listed.push({ name, blob, bytes });
      }
      segments.push({ stored, deaths, parts: listed });
    }
    const { replaySeq, asOf } = manifest;
    return { replaySeq, asOf, asOfTerm: termAt(history, asOf), segments };
  }

  async #part(
    to: number,
    { fetch, blob, chunk }: Extract<SegmentMessage, { kind: 'part_wanted' }>,
  ): Promise<void> {
    const { blobs, outbound, send } = this.#options;
    const totalBytes = (await blobs.size(blob)) ?? 0;
    await outbound.take(Math.min(blobChunkBytes, Math.max(0, totalBytes - chunk * blobChunkBytes)));
    // Read only now: what waits is not held in memory.
    const bytes = (await blobs.readChunk(blob, chunk)) ?? null;
    send(to, { kind: 'part', fetch, blob, chunk, bytes, crc: bytes === null ? 0 : crc32(bytes) });
  }
}
