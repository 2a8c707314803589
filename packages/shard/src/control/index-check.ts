/**
 * Compares the by-seq index with the sum that is stored beside it, in the background after a start: a batch that the disk
 * dropped shows. Always: the base of the bucket digests comes from the same reading.
 */
import { StorageError } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { BucketDigests, FoundIndex, IndexSum } from './digests.ts';

export interface IndexCheck {
  readonly digests: BucketDigests;
  readonly log: Log;
  readonly isStopped: () => boolean;
  /** No other copy is in sync: a damaged one is still the best there is. */
  readonly isLastCopy: () => boolean;
  readonly onFailure: (error: unknown) => void;
}

/** @param reading - of the moment that `expected` is of; null when nobody wants it any more */
export function checkIndex(
  reading: Promise<FoundIndex | null>,
  replica: number,
  expected: IndexSum,
  { digests, log, isStopped, isLastCopy, onFailure }: IndexCheck,
): void {
  reading.then((found) => {
    if (found === null || isStopped()) return;
    const { sum, base } = found;
    const isWhole = sum.count === expected.count && sum.low === expected.low && sum.high === expected.high;
    if (isWhole || isLastCopy()) digests.setBase(base);
    if (isWhole) return;
    const error = new StorageError(
      'corruption',
      `the index of replica ${replica} has ${sum.count} entries, its state says ${expected.count}`,
    );
    if (isLastCopy()) log.error('the last copy of a shard lost records', { error });
    else onFailure(error);
  }, onFailure);
}
