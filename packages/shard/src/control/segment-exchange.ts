/**
 * Saved segments between a replica and its primary: given to others while this one leads, fetched before it copies
 * everything. Always: a plan to copy everything waits until the fetch is over; the replica asks to join again by itself.
 */
import type { HistoryEntry } from '@quiver/replication';
import type { Store } from '@quiver/storage';
import type { Bandwidth } from './bandwidth.ts';
import type { Manifest } from './manifest.ts';
import type { ReplicaMessage } from './replication-codec.ts';
import type { SearchContext, SearchState } from './search-state.ts';
import { SegmentFetch, type CopiedRecords } from './segment-fetch.ts';
import { isSegmentMessage, type SegmentMessage } from './segment-message.ts';
import { SegmentSource } from './segment-source.ts';

/** How the node copies: its limits for catch-ups and moves, and whether segments are copied with the records. */
export interface NodeBandwidth {
  readonly fetchesSegments: boolean;
  readonly inbound: Bandwidth;
  readonly outbound: Bandwidth;
}

export interface SegmentExchangeOptions {
  readonly number: number;
  readonly context: SearchContext & NodeBandwidth;
  readonly search: SearchState;
  /** The replica that leads the shard. */
  readonly primary: () => number | null;
  /** The order of operations here, while this replica leads and shows it whole; else null. */
  readonly ledHistory: () => readonly HistoryEntry[] | null;
  readonly send: (to: number, message: SegmentMessage) => void;
}

export class SegmentExchange {
  readonly #options: SegmentExchangeOptions;
  readonly #source: SegmentSource;
  readonly #fetch: SegmentFetch;

  constructor(options: SegmentExchangeOptions) {
    this.#options = options;
    const { number, context, search, primary, ledHistory, send } = options;
    const { store, blobs, takeBlobId, inbound, outbound, env, log } = context;
    const source = (): number | null => {
      const leading = primary();
      return leading === number ? null : leading;
    };
    this.#fetch = new SegmentFetch({
      number,
      store,
      blobs,
      takeBlobId,
      inbound,
      env,
      log,
      source,
      send,
    });
    const led = (): { manifest: Manifest; history: readonly HistoryEntry[] } | null => {
      const history = ledHistory();
      const manifest = search.manifest();
      return history === null || manifest === null ? null : { manifest, history };
    };
    this.#source = new SegmentSource({ blobs, outbound, log, led, send });
  }

  /** @param source - what was read of the disk */
  load(source: Pick<Store, 'getSync'>): void {
    this.#fetch.load(source);
  }

  /** Blobs that were fetched and are of no manifest yet. */
  get blobIds(): number[] {
    return this.#fetch.blobIds;
  }

  get hasFetched(): boolean {
    return this.#fetch.hasFetched;
  }

  /** @returns whether the message ends here: it is of segments, or a plan that must wait for them */
  takes(from: number, message: ReplicaMessage | SegmentMessage): message is SegmentMessage {
    if (isSegmentMessage(message)) {
      if (message.kind === 'segments_wanted' || message.kind === 'part_wanted')
        this.#source.receive(from, message);
      else this.#fetch.receive(message);
      return true;
    }
    if (message.kind !== 'plan' || message.rangeCopy === null || this.#fetch.isOver) return false;
    if (!this.#options.context.fetchesSegments) return false;
    this.#fetch.begin();
    return true;
  }

  /** Before memory is opened: it is made from what was fetched, when the copied records say the same. */
  async adopt(copied: CopiedRecords): Promise<void> {
    if (!this.#fetch.isOver) return;
    const { manifest, change, unused } = this.#fetch.take(copied);
    await this.#options.search.adopt(manifest, change);
    if (unused.length > 0) await this.#options.context.blobs.delete(unused);
  }

  stop(): Promise<void> {
    return this.#fetch.stop();
  }
}
