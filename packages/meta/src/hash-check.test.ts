import { describe, expect, test } from 'vitest';
import { hashEveryEntries, HashVotes, OwnHashes } from './hash-check.ts';

const at = hashEveryEntries;

describe('the check of states', () => {
  test('a member whose state is not that of the majority stops; others go on', () => {
    const own = new OwnHashes();
    own.note(at - 1, () => 'not due');
    own.note(at, () => 'mine');
    expect(own.entries()).toEqual([[at, 'mine']]);
    expect(() => own.check(at, 'mine')).not.toThrow();
    expect(() => own.check(at, 'theirs')).toThrow(
      `the state after entry ${at} is mine here and theirs at a majority`,
    );
    // What it does not remember (it came by a snapshot) it cannot judge.
    expect(() => own.check(2 * at, 'theirs')).not.toThrow();
  });

  test('only what a majority of the voters says is checked, once, whoever leads', () => {
    const votes = new HashVotes();
    votes.note(1, [[at, 'odd']]);
    votes.note(2, [[at, 'even']]);
    votes.note(9, [[at, 'odd']]);
    expect(votes.agreed([1, 2, 3])).toBeNull();
    votes.note(3, [[at, 'even']]);
    expect(votes.agreed([1, 2, 3])).toEqual({ index: at, hash: 'even' });
    expect(votes.agreed([1, 2, 3])).toBeNull();
  });
});
