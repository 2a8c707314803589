/**
 * Copies the primary's saved segments before everything else is copied, so that graphs need not be built again. Always:
 * what fails or takes too long is given up, and the segments are built from the records as ever; what was fetched is on
 * record, so a fetch that a restart broke goes on from its last whole part; nothing is believed here: the checksums are
 * compared part by part, and the segments are used only when the copied records say the same (`usableSegments`).
 */
import { crc32 } from 'node:zlib';
import type { Env } from '@quiver/env';
import { termAt, type HistoryEntry } from '@quiver/replication';
import { isInFile } from '@quiver/segment';
import { blobChunkBytes, type BlobStore, type Change, type Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { Bandwidth } from './bandwidth.ts';
import type { Manifest, SavedSegment } from './manifest.ts';
import { decodeJson, encodeJson, keys } from './records.ts';
import type { ListedSegment, ListedSegments, SegmentMessage } from './segment-message.ts';

export interface SegmentFetchOptions {
  readonly number: number;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly takeBlobId: () => number;
  readonly inbound: Bandwidth;
  readonly env: Env;
  readonly log: Log;
  /** The replica that leads; null while nobody does. */
  readonly source: () => number | null;
  readonly send: (to: number, message: SegmentMessage) => void;
}

/** Parts that were fetched and belong to no manifest yet. */
interface FetchRecord {
  readonly source: number;
  /** Blob at the source, blob here. */
  readonly blobs: readonly (readonly [theirs: number, own: number])[];
}

/** Parts asked for and not yet here: the catch-up window of 4 MiB. */
const partsInFlight = 4;
const answerWithinMs = 5_000;
const asksMax = { segments_wanted: 3, part_wanted: 6 } as const;
/** Segments may be merged at the source meanwhile: then the list is asked for again. */
const listsMax = 8;

type Answer = Extract<SegmentMessage, { kind: 'segments_listed' | 'part' }>;

export class SegmentFetch {
  readonly #options: SegmentFetchOptions;
  readonly #id: string;
  readonly #waiting = new Map<string, (answer: Answer | null) => void>();
  #phase: 'idle' | 'fetching' | 'over' = 'idle';
  readonly #stop = new AbortController();
  /** undefined: not read yet. */
  #stored: FetchRecord | null | undefined = undefined;
  #fetched: { readonly listed: ListedSegments; readonly segments: readonly SavedSegment[] } | null = null;
  #working: Promise<void> = Promise.resolve();

  constructor(options: SegmentFetchOptions) {
    this.#options = options;
    this.#id = options.env.uuid();
  }

  /** Reads what was fetched before the start, once. @param source - as the store has it */
  load(source: Pick<Store, 'getSync'>): void {
    if (this.#stored !== undefined) return;
    const stored = source.getSync(keys.fetched(this.#options.number));
    this.#stored = stored === undefined ? null : (decodeJson(stored) as FetchRecord);
  }

  get #record(): FetchRecord | null {
    this.load(this.#options.store);
    return this.#stored!;
  }
  set #record(record: FetchRecord | null) {
    this.#stored = record;
  }

  /** Nothing more will come: the copy of the records may begin. */
  get isOver(): boolean {
    return this.#phase === 'over';
  }

  /** There are segments to be made this replica's own. */
  get hasFetched(): boolean {
    return this.#phase === 'over' && this.#fetched !== null;
  }

  /** Blobs that are fetched and not used yet. */
  get blobIds(): number[] {
    return this.#record?.blobs.map(([, own]) => own) ?? [];
  }

  begin(): void {
    if (this.#phase !== 'idle') return;
    this.#phase = 'fetching';
    const { log, number } = this.#options;
    this.#working = this.#run()
      .catch((error: unknown) => log.warn('fetching segments failed; they are built here', { error }))
      .then(async () => {
        if (this.#isStopped) return;
        if (this.#fetched === null) await this.#forget();
        else {
          const { segments } = this.#fetched.listed;
          const parts = segments.flatMap((segment) => segment.parts);
          const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
          log.info('segments fetched for a copy', { replica: number, segments: segments.length, bytes });
        }
      })
      .catch((error: unknown) => log.warn('deleting fetched segments failed', { error }))
      .then(() => {
        this.#phase = 'over';
      });
  }

  receive(answer: Answer): void {
    if (answer.fetch === this.#id) this.#waiting.get(nameOf(answer))?.(answer);
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** @returns when nothing is written any more */
  stop(): Promise<void> {
    this.#stop.abort();
    for (const answer of [...this.#waiting.values()]) answer(null);
    return this.#working;
  }

  /**
   * The fetched segments as a manifest, when they are part of what the replica's records say; a later fetch begins anew.
   * @returns the manifest, the change that takes them off the record, and blobs that are of no use
   */
  take(copied: CopiedRecords): { manifest: Manifest | null; change: Change; unused: number[] } {
    const fetched = this.#fetched;
    const isUsable = fetched !== null && isUsableFor(fetched.listed, copied);
    const used = new Set(isUsable ? fetched.segments.flatMap(({ parts }) => Object.values(parts)) : []);
    const unused = this.blobIds.filter((blob) => !used.has(blob));
    this.#phase = 'idle';
    this.#fetched = null;
    this.#record = null;
    const { replaySeq, asOf } = fetched?.listed ?? { replaySeq: 0, asOf: 0 };
    return {
      manifest: isUsable
        ? { generation: 1, replaySeq, asOf, nextSegmentId: 1, segments: fetched.segments }
        : null,
      change: { kind: 'delete', key: keys.fetched(this.#options.number) },
      unused,
    };
  }

  async #run(): Promise<void> {
    for (let lists = 0; lists < listsMax && !this.#isStopped; lists += 1) {
      const source = this.#options.source();
      if (source === null) return;
      const answer = await this.#ask(source, { kind: 'segments_wanted', fetch: this.#id });
      if (answer?.kind !== 'segments_listed' || answer.listed === null) return;
      await this.#keepOnly(source, answer.listed);
      const segments = await this.#parts(source, answer.listed);
      if (segments === 'silent') return;
      if (segments === 'merged') continue;
      this.#fetched = { listed: answer.listed, segments };
      return;
    }
  }

  async #parts(source: number, listed: ListedSegments): Promise<SavedSegment[] | 'merged' | 'silent'> {
    const segments: SavedSegment[] = [];
    for (const segment of listed.segments) {
      const parts: Record<string, number> = {};
      for (const part of segment.parts) {
        const own = await this.#blob(source, part);
        if (typeof own !== 'number') return own;
        parts[part.name] = own;
      }
      segments.push({ stored: segment.stored, deaths: segment.deaths, parts });
    }
    return segments;
  }

  /** @returns the blob's number here */
  async #blob(
    source: number,
    { name, blob, bytes }: ListedSegment['parts'][number],
  ): Promise<number | 'merged' | 'silent'> {
    const { blobs, takeBlobId } = this.#options;
    const known = this.#record?.blobs.find(([theirs]) => theirs === blob)?.[1];
    if (known !== undefined) return known;
    const own = takeBlobId();
    const chunks = Math.max(1, Math.ceil(bytes / blobChunkBytes));
    const asked: Promise<Answer | null>[] = [];
    let outcome: 'whole' | 'merged' | 'silent' = 'whole';
    for (let chunk = 0; chunk < chunks; chunk += 1) {
      while (asked.length < Math.min(chunks, chunk + partsInFlight))
        asked.push(this.#askPart(source, blob, asked.length, bytes));
      const answer = await asked[chunk]!;
      if (answer?.kind !== 'part' || this.#isStopped) outcome = 'silent';
      else if (answer.bytes === null) outcome = 'merged';
      else await blobs.putChunk(own, chunk, answer.bytes, bytes, { inFile: isInFile(name) });
      if (outcome === 'whole') continue;
      if (!this.#isStopped) await blobs.delete([own]);
      return outcome;
    }
    await this.#note({ source, blobs: [...(this.#record?.blobs ?? []), [blob, own]] });
    return own;
  }

  /** Parts of another source, and those that it has no more, are of no use. */
  async #keepOnly(source: number, listed: ListedSegments): Promise<void> {
    if (this.#record === null) return;
    const wanted = new Set(listed.segments.flatMap(({ parts }) => parts.map(({ blob }) => blob)));
    const isKept = ([theirs]: readonly [number, number]): boolean =>
      this.#record!.source === source && wanted.has(theirs);
    const unused = this.#record.blobs.filter((pair) => !isKept(pair)).map(([, own]) => own);
    if (unused.length === 0) return;
    await this.#note({ source, blobs: this.#record.blobs.filter(isKept) });
    await this.#options.blobs.delete(unused);
  }

  /** A fetch that came to nothing leaves nothing. */
  async #forget(): Promise<void> {
    const unused = this.blobIds;
    if (this.#record === null) return;
    this.#record = null;
    const { store, blobs, number } = this.#options;
    await store.commit([{ kind: 'delete', key: keys.fetched(number) }], { essential: true });
    await blobs.delete(unused);
  }

  async #note(record: FetchRecord): Promise<void> {
    this.#record = record;
    const { store, number } = this.#options;
    const change: Change = { kind: 'put', key: keys.fetched(number), value: encodeJson(record) };
    await store.commit([change], { essential: true });
  }

  async #askPart(source: number, blob: number, chunk: number, totalBytes: number): Promise<Answer | null> {
    const bytes = Math.min(blobChunkBytes, totalBytes - chunk * blobChunkBytes);
    await this.#options.inbound.take(bytes, this.#stop.signal);
    return this.#ask(source, { kind: 'part_wanted', fetch: this.#id, blob, chunk });
  }

  /** Asks, and again when nothing comes. @returns null: nothing came, or not what was sent */
  async #ask(
    source: number,
    question: Extract<SegmentMessage, { kind: 'segments_wanted' | 'part_wanted' }>,
  ): Promise<Answer | null> {
    const { env, send } = this.#options;
    for (let asks = 0; asks < asksMax[question.kind] && !this.#isStopped; asks += 1) {
      const answer = await new Promise<Answer | null>((resolve) => {
        const name = nameOf(question);
        const end = (found: Answer | null): void => {
          cancel();
          this.#waiting.delete(name);
          resolve(found);
        };
        const cancel = env.after(answerWithinMs, () => end(null));
        this.#waiting.set(name, end);
        send(source, question);
      });
      if (answer?.kind === 'part' && answer.bytes !== null && crc32(answer.bytes) !== answer.crc) continue;
      if (answer !== null) return answer;
    }
    return null;
  }
}

function nameOf(message: SegmentMessage): string {
  return message.kind === 'part' || message.kind === 'part_wanted' ? `${message.blob}/${message.chunk}` : '';
}

/** What the replica holds when its memory is opened. */
export interface CopiedRecords {
  /** Every operation up to here is in the records. */
  readonly lastSeq: number;
  readonly history: readonly HistoryEntry[];
  /** Deletions up to here have left no trace in the records. */
  readonly tombstoneHorizon: number;
}

/**
 * Whether segments saved at `asOf` and replayed from `replaySeq` give what the records say: the records hold the same
 * order up to `asOf`, and every deletion after it still has its tombstone.
 */
export function isUsableFor(
  { asOf, asOfTerm }: Pick<ListedSegments, 'asOf' | 'asOfTerm'>,
  { lastSeq, history, tombstoneHorizon }: CopiedRecords,
): boolean {
  const isSameOrder = asOfTerm > 0 && termAt(history, asOf) === asOfTerm;
  return isSameOrder && tombstoneHorizon <= asOf && asOf <= lastSeq;
}
