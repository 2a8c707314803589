/**
 * The set of ids of a collection, as scroll and count at consistency `all` show it. A read shows the whole set at one
 * instant, so the collection is one object and its history cannot be split by id: keep such histories short.
 */
import type { Model } from '../model.ts';

export type IdSetInput =
  | { readonly kind: 'add' | 'remove'; readonly ids: readonly number[] }
  | { readonly kind: 'scroll' | 'count' };

/** scroll: the ids in any order. count: how many. add and remove: 'done', whatever was there before. */
export type IdSetOutput = readonly number[] | number | 'done';

/** Ascending, without repeats. */
type Ids = readonly number[];

export const idSet: Model<IdSetInput, IdSetOutput, Ids> = {
  name: 'set of ids',
  initial: [],
  partitionOf: () => 'ids',
  isRead: (input) => input.kind === 'scroll' || input.kind === 'count',
  step(state, input, output) {
    switch (input.kind) {
      case 'add':
        return [ascending([...state, ...input.ids])];
      case 'remove':
        return [state.filter((id) => !input.ids.includes(id))];
      case 'count':
        return output === undefined || output === state.length ? [state] : [];
      case 'scroll':
        return output === undefined || (Array.isArray(output) && showsExactly(output as Ids, state))
          ? [state]
          : [];
    }
  },
  keyOf: (state) => `{${state.join(',')}}`,
  describe(input, output) {
    const result = output === undefined ? '?' : Array.isArray(output) ? `{${output.join(',')}}` : output;
    return 'ids' in input
      ? `${input.kind} ${input.ids.join(',')} -> ${String(result)}`
      : `${input.kind} -> ${String(result)}`;
  },
};

function ascending(ids: Ids): Ids {
  return [...new Set(ids)].sort((a, b) => a - b);
}

/** A scroll that shows an id twice is wrong, whatever the set. */
function showsExactly(shown: Ids, state: Ids): boolean {
  if (shown.length !== state.length) return false;
  const sorted = [...shown].sort((a, b) => a - b);
  return sorted.every((id, i) => id === state[i]);
}
