/** Records that one replica asks another for, because its own are damaged. */
import type { PointId } from '@quiver/model';
import type { StoredRecord } from '@quiver/replication';
import type { OrderedChange } from './change.ts';

export type RecordMessage =
  | { readonly kind: 'records_wanted'; readonly ids: readonly PointId[] }
  /** Those that are there. */
  | { readonly kind: 'records_given'; readonly records: readonly StoredRecord<OrderedChange>[] };

export function isRecordMessage(message: { readonly kind: string }): message is RecordMessage {
  return message.kind === 'records_wanted' || message.kind === 'records_given';
}
