/** Whether the disk of a node's points takes more than deletions. */
import { StorageError, type Store } from '@quiver/storage';

/** @param spareFraction - of the disk, that must be free beyond the limit */
export function hasRoom(store: Pick<Store, 'assertRoom'>, spareFraction: number): boolean {
  try {
    store.assertRoom({ spareFraction });
    return true;
  } catch (error) {
    if (error instanceof StorageError) return false;
    throw error;
  }
}

/** Of the disk, that stays free beyond the limit where a copy is to be made: it grows with the others from then on. */
const copySpareFraction = 0.05;

/** Whether a copy of a shard may be placed here. */
export function takesCopies(store: Pick<Store, 'assertRoom'>): boolean {
  return hasRoom(store, copySpareFraction);
}
