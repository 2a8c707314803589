/**
 * What catch-ups and repairs move between the records of this replica and others, at the pace of the node: what others need is read here,
 * what comes is counted. Always: a page leaves when the node may send it, a chunk is acknowledged when the node may take in as much again,
 * and the source sends no faster than that.
 */
import { bytesOfRecords } from './change.ts';
import type { HostEffect, HostInput, WithoutNow } from './host-effect.ts';
import type { ReplicaPages } from './replica-pages.ts';
import type { ReplicaMessage } from './replication-codec.ts';
import type { NodeBandwidth } from './segment-exchange.ts';

type PageWanted = Extract<HostEffect, { kind: 'read_keys' | 'read_by_seq' | 'read_range' }>;
/** What the order asks of the records. */
export type RecordsWanted =
  PageWanted | Extract<HostEffect, { kind: 'list_dirty' | 'list_bucket' | 'plan_repair' }>;
type Answer<Kind> = Omit<Extract<HostInput, { kind: Kind }>, 'nowMs'>;

export interface CatchUpTrafficOptions {
  readonly pages: ReplicaPages;
  readonly bandwidth: Pick<NodeBandwidth, 'inbound' | 'outbound'>;
  readonly send: (to: number, message: ReplicaMessage) => void;
}

export class CatchUpTraffic {
  readonly #options: CatchUpTrafficOptions;
  /** Of chunks that came and are not acknowledged. */
  #unackedBytes = 0;
  #taken = { records: 0, bytes: 0 };

  constructor(options: CatchUpTrafficOptions) {
    this.#options = options;
  }

  /** @param bytes - of the frame it came in */
  noteChunk({ records }: Extract<ReplicaMessage, { kind: 'chunk' }>, bytes: number): void {
    this.#unackedBytes += bytes;
    this.#taken.bytes += bytes;
    this.#taken.records += records.length;
  }

  /** What came since it was last asked. */
  takeCounts(): { readonly records: number; readonly bytes: number } {
    const taken = this.#taken;
    this.#taken = { records: 0, bytes: 0 };
    return taken;
  }

  send(to: number, message: ReplicaMessage): void {
    const { bandwidth, send } = this.#options;
    if (message.kind !== 'chunk_ack') {
      send(to, message);
      return;
    }
    const bytes = this.#unackedBytes;
    this.#unackedBytes = 0;
    bandwidth.inbound.whenFree(bytes, () => send(to, message));
  }

  /** @throws StorageError */
  read(wanted: RecordsWanted): Promise<WithoutNow<HostInput>> {
    const { pages } = this.#options;
    switch (wanted.kind) {
      case 'list_dirty':
        return pages.listDirty(wanted);
      case 'list_bucket':
        return pages.listBucket(wanted);
      case 'plan_repair':
        return pages.planRepair(wanted);
      default:
        return this.#page(wanted);
    }
  }

  async #page(wanted: PageWanted): Promise<Answer<'page'>> {
    const { pages, bandwidth } = this.#options;
    const page = await readPage(pages, wanted);
    await bandwidth.outbound.take(bytesOfRecords(page.records));
    return page;
  }
}

function readPage(pages: ReplicaPages, wanted: PageWanted): Promise<Answer<'page'>> {
  switch (wanted.kind) {
    case 'read_keys':
      return pages.readKeys(wanted);
    case 'read_by_seq':
      return pages.readBySeq(wanted);
    case 'read_range':
      return pages.readRange(wanted);
  }
}
