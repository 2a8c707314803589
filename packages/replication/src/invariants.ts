/** What must hold after every step; cheap, always on. A breach ends the process before it can do harm. */
import { assert } from '@quiver/model';
import type { ReplicaCore } from './core.ts';
import type { Primary } from './primary.ts';

export function assertInvariants<Change, Key>(
  core: ReplicaCore<Change, Key>,
  primary: Primary<Change, Key> | null,
): void {
  const { state, durableSeq, appliedSeq, committedSeq, history } = core;
  const { lastSeq, cleanSeq, copiedSeq, sourceSeq, mode, rangeCopy } = state;
  assert(Number.isSafeInteger(lastSeq), `seq ${lastSeq} is beyond what a number can count`);
  assert(copiedSeq <= sourceSeq, `copied to ${copiedSeq} from a source at ${sourceSeq}`);
  assert(cleanSeq <= copiedSeq, `clean to ${cleanSeq}, copied to ${copiedSeq}`);
  if (mode === 'clean') {
    assert(cleanSeq === lastSeq && copiedSeq === lastSeq, `clean at ${cleanSeq}, ${copiedSeq} of ${lastSeq}`);
    assert(sourceSeq === lastSeq, `clean at ${lastSeq}, source at ${sourceSeq}`);
    assert(rangeCopy === null, `clean and in the middle of a copy from ${rangeCopy?.baseSeq ?? 0}`);
  }
  assert(
    appliedSeq <= durableSeq || mode !== 'clean',
    `applied ${appliedSeq} is above durable ${durableSeq}`,
  );
  const newest = history.at(-1);
  assert(
    newest === undefined || newest.term <= state.term,
    `history of term ${newest?.term ?? 0} in term ${state.term}`,
  );
  if (primary === null) return;
  assert(mode === 'clean', 'a primary in the middle of a catch-up');
  assert(durableSeq <= lastSeq, `durable ${durableSeq} of ${lastSeq}`);
  assert(committedSeq <= durableSeq, `committed ${committedSeq} is above durable ${durableSeq}`);
  assert(newest?.term === state.term, `primary of term ${state.term} with a history to ${newest?.term ?? 0}`);
  assert(
    core.view?.term === state.term,
    `primary of term ${state.term} in a view of ${core.view?.term ?? 0}`,
  );
  assert(primary.effectiveIsr.includes(core.allocId), `primary ${core.allocId} is not in its in-sync set`);
}
