/**
 * What the disk holds of a replica and is not what was written, by kind: points and vectors come from another in-sync replica, parts of
 * segments from memory, and the copy of a small one's rows is let go. Always: what nothing can replace ends the replica, if another
 * one is in sync; the last one goes on with what it has.
 */
import { StorageError, type Store } from '@quiver/storage';
import type { Env } from '@quiver/env';
import type { Log } from '@quiver/telemetry';
import type { RecordMessage } from './record-message.ts';
import { RecordMender } from './record-mender.ts';
import { isCopy, pointOfKey, removeCopy } from './records.ts';
import type { ReplicaHost } from './replica-host.ts';
import type { SearchState } from './search-state.ts';

export interface ReplicaMendingOptions {
  readonly number: number;
  readonly context: { readonly store: Store; readonly env: Env; readonly log: Log };
  readonly search: SearchState;
  /** null: the replica is not open. */
  readonly host: () => ReplicaHost | null;
  /** In-sync replicas but this one. */
  readonly others: () => readonly number[];
  readonly send: (to: number, message: RecordMessage) => void;
  /** The replica must end: another one is in sync. */
  readonly onDamage: (error: StorageError) => void;
}

export class ReplicaMending {
  readonly #options: ReplicaMendingOptions;
  readonly #records: RecordMender;

  constructor(options: ReplicaMendingOptions) {
    this.#options = options;
    const { number, context, others, send, host } = options;
    const { env, log } = context;
    this.#records = new RecordMender({
      ...{ number, env, log, others, send },
      read: async (ids) => (await host()?.readRecords(ids)) ?? [],
      write: async (record) => (await host()?.mendRecord(record)) ?? false,
    });
  }

  receive(from: number, message: RecordMessage): void {
    this.#records.receive(from, message);
  }

  /** Nobody waits for an answer any more. */
  close(): void {
    this.#records.close();
  }

  /** @returns whether what the disk holds is whole again. @throws StorageError */
  async mendRecord(key: Uint8Array): Promise<boolean> {
    const { number, context, host, others, onDamage } = this.#options;
    const id = pointOfKey(key);
    if (id !== null) return this.#records.mend(id);
    if (isCopy(key)) {
      // It is only there for speed; where it is of use, another one is written.
      await (host()?.dropCopy() ?? removeCopy(context.store, number));
      return true;
    }
    const text = `the record ${Buffer.from(key).toString('hex')} of replica ${number} is damaged`;
    if (others().length > 0) onDamage(new StorageError('corruption', text));
    else context.log.error(`${text}, and no other replica is in sync: it cannot be replaced`);
    return false;
  }

  /** A part of a saved segment is damaged: memory has it whole. @returns whether it will be written again */
  mendPart(blob: number): boolean {
    return this.#options.search.optimizer?.saveAgain(blob) ?? false;
  }
}
