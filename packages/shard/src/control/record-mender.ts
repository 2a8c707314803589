/**
 * Puts back records whose bytes on the disk are not what was written: they are fetched from another in-sync replica, one
 * after the other. Always: what is written is the version that this replica's own index names, so its order stays what
 * it was; a record that is replaced anyway is left alone.
 */
import type { Env } from '@quiver/env';
import type { PointId } from '@quiver/model';
import type { StoredRecord } from '@quiver/replication';
import type { Log } from '@quiver/telemetry';
import type { OrderedChange } from './change.ts';
import type { RecordMessage } from './record-message.ts';

export interface RecordMenderOptions {
  readonly number: number;
  readonly env: Env;
  readonly log: Log;
  /** In-sync replicas but this one. */
  readonly others: () => readonly number[];
  readonly send: (to: number, message: RecordMessage) => void;
  /** Records that this replica has, for others. */
  readonly read: (ids: readonly PointId[]) => Promise<readonly StoredRecord<OrderedChange>[]>;
  /** @returns whether it is written: the index names this very version */
  readonly write: (record: StoredRecord<OrderedChange>) => Promise<boolean>;
}

const answerWithinMs = 5_000;

export class RecordMender {
  readonly #options: RecordMenderOptions;
  readonly #waiting = new Map<PointId, (record: StoredRecord<OrderedChange> | null) => void>();
  #isClosed = false;

  constructor(options: RecordMenderOptions) {
    this.#options = options;
  }

  /** Nobody waits for an answer any more. */
  close(): void {
    this.#isClosed = true;
    for (const end of [...this.#waiting.values()]) end(null);
  }

  receive(from: number, message: RecordMessage): void {
    const { read, send, log } = this.#options;
    if (message.kind === 'records_given') {
      for (const record of message.records) this.#waiting.get(record.change.id)?.(record);
      return;
    }
    read(message.ids).then(
      (records) => send(from, { kind: 'records_given', records }),
      (error: unknown) => log.warn('a record that another replica lacks is not readable here', { error }),
    );
  }

  /** @returns whether the record is as it was */
  async mend(id: PointId): Promise<boolean> {
    const { number, others, log, write } = this.#options;
    const sources = others();
    for (const source of sources) {
      if (this.#isClosed) return false;
      const record = await this.#fetch(source, id);
      if (record === null || !(await write(record))) continue;
      log.warn('a damaged record was replaced by that of another replica', { replica: number, id, source });
      return true;
    }
    if (this.#isClosed) return false;
    log.error(
      sources.length === 0
        ? 'a record is damaged and no other replica is in sync: it cannot be replaced'
        : 'a record is damaged and was not replaced; the next look tries again',
      { replica: number, id },
    );
    return false;
  }

  #fetch(source: number, id: PointId): Promise<StoredRecord<OrderedChange> | null> {
    const { env, send } = this.#options;
    return new Promise((resolve) => {
      const end = (record: StoredRecord<OrderedChange> | null): void => {
        cancel();
        this.#waiting.delete(id);
        resolve(record);
      };
      const cancel = env.after(answerWithinMs, () => end(null));
      this.#waiting.set(id, end);
      send(source, { kind: 'records_wanted', ids: [id] });
    });
  }
}
