/**
 * Replicas on the disk that the catalogue does not know: drops that a stop interrupted. Always: only what lies between known
 * replicas is looked at, of which there may be thousands.
 */
import { readKey, type Store } from '@quiver/storage';
import { keys } from './records.ts';

/** Above every replica's. */
const end = new Uint8Array([0xfe, 0xff, 0xff, 0xff]);

/** Their numbers, rising. REQUIRES: of one that was given nothing is left when the next is asked for, or it stays. */
export async function* orphansIn(
  store: Pick<Store, 'scan'>,
  known: Iterable<number>,
): AsyncGenerator<number, void, undefined> {
  let next = 1;
  for (const number of [...known].sort((a, b) => a - b)) {
    yield* between(store, next, number);
    next = number + 1;
  }
  yield* between(store, next, null);
}

/** @param to - null: all from `from` on */
async function* between(
  store: Pick<Store, 'scan'>,
  from: number,
  to: number | null,
): AsyncGenerator<number, void, undefined> {
  for (let next = from; next !== to;) {
    const range = { from: keys.replica(next), to: to === null ? end : keys.replica(to), limit: 1 };
    let found: number | null = null;
    for await (const [key] of store.scan(range)) found = readKey(key).u32();
    if (found === null) return;
    yield found;
    next = found + 1;
  }
}
