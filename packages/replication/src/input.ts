/** What happens to a replica, as data. */
export type Input<Change> =
  | {
      readonly kind: 'propose';
      /** Names the operation at the host until its reply. */
      readonly call: number;
      /** The client's key of the operation; null = it will not be repeated. */
      readonly operationKey: string | null;
      /** Resolved: explicit ids and values, in order. May be empty. */
      readonly changes: readonly Change[];
    }
  /** Every operation up to `seq` is on this replica's stable storage. */
  | { readonly kind: 'persisted'; readonly seq: number };
