/**
 * What the host must do, in the order given and not before the effects that came earlier. `apply` and `publish` of one
 * operation may be spread over many turns, but operations never overlap.
 */
export type Effect<Change> =
  /** Make durable, all or nothing: the changes as (seq, ordinal = place in the list), the state, a new term's start. */
  | {
      readonly kind: 'persist';
      readonly seq: number;
      readonly term: number;
      /** The first operation of the term: (term, seq) joins the history in the same write. */
      readonly isFirstOfTerm: boolean;
      readonly operationKey: string | null;
      readonly changes: readonly Change[];
    }
  /** Bring the changes into the searchable state, invisible yet. */
  | { readonly kind: 'apply'; readonly seq: number; readonly changes: readonly Change[] }
  /** Make everything up to `seq` visible at once. */
  | { readonly kind: 'publish'; readonly seq: number }
  | { readonly kind: 'reply'; readonly call: number; readonly seq: number };
