/**
 * Commands of the metadata state machine. The proposer chooses every id and placement, so that applying one is
 * deterministic. In the log each carries `clientId` and `seq` (exactly-once sessions, cluster.md §3.3).
 */
import type { CollectionConfig, JsonObject, PayloadFieldSchema } from '@quiver/model';

export type AliasAction =
  | { readonly kind: 'create'; readonly collection: string; readonly alias: string }
  | { readonly kind: 'delete'; readonly alias: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string };

export type MetaCommand =
  | {
      readonly kind: 'create_collection';
      readonly name: string;
      readonly uuid: string;
      readonly config: CollectionConfig;
    }
  /** `config` is the whole new configuration, merged by the proposer from the record with `uuid`. */
  | {
      readonly kind: 'update_collection';
      readonly name: string;
      readonly uuid: string;
      readonly config: CollectionConfig;
    }
  | { readonly kind: 'delete_collection'; readonly name: string }
  /** All or nothing, in order. */
  | { readonly kind: 'change_aliases'; readonly actions: readonly AliasAction[] }
  | {
      readonly kind: 'create_payload_index';
      readonly name: string;
      readonly uuid: string;
      readonly field: string;
      readonly schema: PayloadFieldSchema;
    }
  | {
      readonly kind: 'delete_payload_index';
      readonly name: string;
      readonly uuid: string;
      readonly field: string;
    }
  | { readonly kind: 'set_cluster_metadata'; readonly key: string; readonly value: JsonObject | null };

/** A command as the log holds it. */
export interface MetaEnvelope {
  readonly clientId: string;
  /** Rises by one for each command of `clientId`. */
  readonly seq: number;
  readonly command: MetaCommand;
}
