/**
 * The primary's side of a catch-up: where the follower's copy leaves our order, then the points it has above that, then
 * perhaps all keys, then everything above the fork by seq to the end of the index. Always: pages are read live, one after
 * another, and only the page that reaches the end of the by-seq index ends the copy: a record that moved up while
 * earlier pages were read is in a later one. Operation entries go no later than the records they speak of.
 */
import type { ReplicaCore } from './core.ts';
import { historyUpTo } from './history.ts';
import type { Chunk, FollowerMessage } from './message.ts';
import type { CatchUpSource, Session } from './session.ts';
import type { RangeCopy } from './state.ts';

type Join<Key> = Extract<FollowerMessage<Key>, { kind: 'join' }>;
type Part<Change, Key> = Pick<Chunk<Change, Key>, 'records' | 'absent' | 'range'> & { isLast: boolean };

/** Keys asked for in one question. */
const keysPerPage = 1_000;

export function planCatchUp<Change, Key>(
  core: ReplicaCore<Change, Key>,
  join: Join<Key>,
): CatchUpSource<Change, Key> {
  const { state, history, rules, durableSeq } = core;
  const isWhole = rules.forkSeq(join.history, join.sourceSeq, history, state.lastSeq) >= join.sourceSeq;
  // A copy whose source had what we have not begins again from where it was clean; a clean one has no other place.
  const heldSeq = isWhole ? join.positionSeq : join.cleanSeq;
  const heldHistory = historyUpTo(join.history, heldSeq);
  const forkSeq = Math.min(rules.forkSeq(heldHistory, heldSeq, history, state.lastSeq), heldSeq);
  // The one side has forgotten deletions above the fork, or the other has: by seq they could not be told.
  const isBehind = forkSeq < Math.max(state.tombstoneHorizon, join.tombstoneHorizon);
  if (isWhole && !isBehind && forkSeq === join.positionSeq && forkSeq > 0)
    return newSource(forkSeq, join.sourceSeq, join.rangeCopy);
  if (isBehind || forkSeq === 0)
    return newSource<Change, Key>(forkSeq, durableSeq, { baseSeq: durableSeq, afterKey: null });
  return newSource(forkSeq, forkSeq, null);
}

function newSource<Change, Key>(
  forkSeq: number,
  sourceSeq: number,
  rangeCopy: RangeCopy<Key> | null,
): CatchUpSource<Change, Key> {
  return {
    planIndex: 0,
    forkSeq,
    rangeCopy,
    dirty: [],
    step: 'dirty',
    copiedSeq: rangeCopy?.baseSeq ?? forkSeq,
    sourceSeq,
    operationsSentSeq: isAllAnew(rangeCopy) ? 0 : (rangeCopy?.baseSeq ?? forkSeq),
    nextIndex: 0,
    unacked: [],
    isAsking: false,
    resends: 0,
    chunkSentMs: 0,
    holdSeq: forkSeq,
  };
}

function isAllAnew<Key>(rangeCopy: RangeCopy<Key> | null): boolean {
  return rangeCopy !== null && rangeCopy.afterKey === null;
}

export function sendPlan<Change, Key>(core: ReplicaCore<Change, Key>, session: Session<Change, Key>): void {
  const { planIndex, forkSeq, sourceSeq, rangeCopy } = session.source;
  session.lastSentMs = core.nowMs;
  core.send(session.follower, {
    kind: 'plan',
    term: core.state.term,
    nonce: session.nonce,
    index: planIndex,
    forkSeq,
    sourceSeq,
    rangeCopy,
    history: historyUpTo(core.history, sourceSeq),
  });
}

export function takeNeed<Change, Key>(
  core: ReplicaCore<Change, Key>,
  session: Session<Change, Key>,
  need: Extract<FollowerMessage<Key>, { kind: 'need' }>,
  isOpen: () => boolean,
): void {
  if (session.phase !== 'planned') return;
  const { source } = session;
  if (need.isTooMany && !isAllAnew(source.rangeCopy)) {
    const rangeCopy = { baseSeq: core.durableSeq, afterKey: null };
    Object.assign(source, newSource(source.forkSeq, core.durableSeq, rangeCopy), {
      planIndex: source.planIndex + 1,
    });
    session.positionSeq = source.copiedSeq;
    sendPlan(core, session);
    return;
  }
  if ((need.dirty === null) !== isAllAnew(source.rangeCopy)) return;
  session.phase = 'copying';
  source.dirty = need.dirty ?? [];
  advanceCatchUp(core, session, isOpen);
}

/** Asks for the next page when the window has room. */
export function advanceCatchUp<Change, Key>(
  core: ReplicaCore<Change, Key>,
  session: Session<Change, Key>,
  isOpen: () => boolean,
): void {
  const { source } = session;
  const { chunkBytesMax: budgetBytes, chunksInFlightMax } = core.limits;
  if (session.phase !== 'copying' || source.isAsking || source.unacked.length >= chunksInFlightMax) return;
  if (source.step === 'dirty' && source.dirty.length === 0)
    source.step = source.rangeCopy === null ? 'by_seq' : 'range';
  const send = (part: Part<Change, Key>): void => {
    sendChunk(core, session, part);
    advanceCatchUp(core, session, isOpen);
  };
  source.isAsking = true;
  // Everything up to here is in the page's snapshot.
  const durableSeq = core.durableSeq;
  switch (source.step) {
    case 'dirty': {
      const keys = source.dirty.slice(0, keysPerPage);
      core.ask({ kind: 'read_keys', keys, budgetBytes }, (page) => {
        if (!isOpen()) return;
        source.isAsking = false;
        source.dirty = source.dirty.slice(page.answeredCount);
        send({ records: page.records, absent: page.absent, range: null, isLast: false });
      });
      break;
    }
    case 'range': {
      const { baseSeq, afterKey } = source.rangeCopy!;
      core.ask({ kind: 'read_range', afterKey, budgetBytes }, (page) => {
        if (!isOpen()) return;
        source.isAsking = false;
        const { records, toKey } = page;
        source.rangeCopy = toKey === null ? null : { baseSeq, afterKey: toKey };
        if (toKey === null) source.step = 'by_seq';
        send({ records, absent: [], range: { afterKey, toKey }, isLast: false });
      });
      break;
    }
    case 'by_seq': {
      const afterSeq = source.copiedSeq;
      source.holdSeq = durableSeq;
      core.ask({ kind: 'read_by_seq', afterSeq, budgetBytes }, (page) => {
        if (!isOpen()) return;
        source.isAsking = false;
        const { records, isEnd } = page;
        const pageSeq = records.reduce((seq, record) => Math.max(seq, record.seq), afterSeq);
        source.copiedSeq = isEnd ? Math.max(pageSeq, durableSeq) : pageSeq;
        if (isEnd) source.step = 'done';
        if (isEnd) source.holdSeq = source.copiedSeq;
        send({ records, absent: [], range: null, isLast: isEnd });
      });
      break;
    }
    case 'done':
      source.isAsking = false;
  }
}

function sendChunk<Change, Key>(
  core: ReplicaCore<Change, Key>,
  session: Session<Change, Key>,
  part: Part<Change, Key>,
): void {
  const { source } = session;
  // The follower equals us at the end; before, it lacks what had been replaced by what we have by now.
  source.sourceSeq = part.isLast ? source.copiedSeq : core.state.lastSeq;
  const chunk: Chunk<Change, Key> = {
    kind: 'chunk',
    index: source.nextIndex,
    ...part,
    operations: core.operations.above(source.operationsSentSeq),
    copiedSeq: source.copiedSeq,
    sourceSeq: source.sourceSeq,
    rangeCopy: source.rangeCopy,
    // The present term too, even if nothing was ordered in it yet.
    history: core.history,
    tombstoneHorizon: core.state.tombstoneHorizon,
  };
  source.operationsSentSeq = core.state.lastSeq;
  source.nextIndex += 1;
  source.unacked.push(chunk);
  session.lastSentMs = core.nowMs;
  source.chunkSentMs = core.nowMs;
  core.send(session.follower, { ...chunk, term: core.state.term, nonce: session.nonce });
}

/** @returns whether the follower has everything now and may be streamed to */
export function takeChunkAck<Change, Key>(
  core: ReplicaCore<Change, Key>,
  session: Session<Change, Key>,
  index: number,
  isOpen: () => boolean,
): boolean {
  if (session.phase !== 'copying') return false;
  const { source } = session;
  const acked = source.unacked.filter((chunk) => chunk.index <= index);
  const newest = acked.at(-1);
  if (newest === undefined) return false;
  source.unacked = source.unacked.slice(acked.length);
  source.resends = 0;
  session.lastProgressMs = core.nowMs;
  session.positionSeq = Math.max(session.positionSeq, newest.copiedSeq);
  if (!newest.isLast) {
    advanceCatchUp(core, session, isOpen);
    return false;
  }
  session.phase = 'streaming';
  session.durableSeq = newest.copiedSeq;
  session.receivedSeq = newest.copiedSeq;
  session.sentSeq = newest.copiedSeq;
  return true;
}
