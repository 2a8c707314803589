/**
 * The text form of everything, as etcd prints it: its interaction scripts are our oracle, so each byte counts.
 */
import { decodeConfChange } from './conf-change-codec.ts';
import { confChangesToText, type ConfChangeV2 } from './conf-change.ts';
import type { SoftState } from './core.ts';
import {
  appendThread,
  applyThread,
  noNode,
  type ConfState,
  type Entry,
  type HardState,
  type Message,
  type NodeId,
  type Snapshot,
} from './message.ts';
import type { Progress } from './progress.ts';
import type { JointQuorum } from './quorum-joint.ts';
import { unboundedIndex, type AckedIndexes, type Majority } from './quorum-majority.ts';
import { quote } from './quote.ts';
import type { Ready } from './ready.ts';
import type { Membership, ProgressMap } from './tracker.ts';

export type EntryFormatter = (data: Uint8Array) => string;

export function describeHardState(state: HardState): string {
  const vote = state.vote === noNode ? '' : ` Vote:${state.vote}`;
  return `Term:${state.term}${vote} Commit:${state.commit}`;
}

export function describeSoftState(state: SoftState): string {
  return `Lead:${state.lead} State:${state.role}`;
}

const list = (ids: readonly number[]): string => `[${ids.join(' ')}]`;

export function describeConfState(state: ConfState): string {
  return `Voters:${list(state.voters)} VotersOutgoing:${list(state.votersOutgoing)} Learners:${list(state.learners)} LearnersNext:${list(state.learnersNext)} AutoLeave:${state.autoLeave}`;
}

export function describeSnapshot({ meta }: Snapshot): string {
  return `Index:${meta.index} Term:${meta.term} ConfState:${describeConfState(meta.confState)}`;
}

export function describeReady(ready: Ready, format: EntryFormatter = quote): string {
  let text = '';
  if (ready.softState !== null) text += `${describeSoftState(ready.softState)}\n`;
  if (ready.hardState !== null) text += `HardState ${describeHardState(ready.hardState)}\n`;
  if (ready.readStates.length > 0) {
    const states = ready.readStates.map(({ index, context }) => `{${index} ${list([...context])}}`);
    text += `ReadStates [${states.join(' ')}]\n`;
  }
  if (ready.entries.length > 0) text += `Entries:\n${describeEntries(ready.entries, format)}`;
  if (ready.snapshot !== null) text += `Snapshot ${describeSnapshot(ready.snapshot)}\n`;
  if (ready.committedEntries.length > 0)
    text += `CommittedEntries:\n${describeEntries(ready.committedEntries, format)}`;
  if (ready.messages.length > 0)
    text += `Messages:\n${ready.messages.map((message) => `${describeMessage(message, format)}\n`).join('')}`;
  return text === '' ? '<empty Ready>' : `Ready MustSync=${ready.mustSync}:\n${text}`;
}

/** @param indent - put before each line but continuation lines of the host */
export function describeMessage(message: Message, format: EntryFormatter = quote, indent = ''): string {
  const { entries, snapshot, responses } = message;
  let text = `${indent}${describeTarget(message.from)}->${describeTarget(message.to)} ${message.type} Term:${message.term} Log:${message.logTerm}/${message.index}`;
  if (message.reject) text += ` Rejected (Hint: ${message.rejectHint})`;
  if (message.commit !== 0) text += ` Commit:${message.commit}`;
  if (message.vote !== noNode) text += ` Vote:${message.vote}`;
  if (entries.length === 1) {
    text += ` Entries:[${describeEntry(entries[0]!, format)}]`;
  } else if (entries.length > 1) {
    const lines = entries.map((entry) => `\n${indent}  ${describeEntry(entry, format)}`);
    text += ` Entries:[${lines.join('')}\n${indent}]`;
  }
  if (snapshot !== null && snapshot.meta.index !== 0)
    text += `\n${indent}  Snapshot: ${describeSnapshot(snapshot)}`;
  if (responses.length > 0) {
    const lines = responses.map((response) => `\n${describeMessage(response, format, `${indent}  `)}`);
    text += ` Responses:[${lines.join('')}\n${indent}]`;
  }
  return text;
}

export function describeTarget(id: NodeId): string {
  if (id === noNode) return 'None';
  if (id === appendThread) return 'AppendThread';
  return id === applyThread ? 'ApplyThread' : id.toString(16);
}

export function describeEntry(entry: Entry, format: EntryFormatter = quote): string {
  const data = entry.type === 'EntryNormal' ? format(entry.data) : describeConfChangeData(entry);
  return `${entry.term}/${entry.index} ${entry.type}${data === '' ? '' : ` ${data}`}`;
}

function describeConfChangeData(entry: Entry): string {
  try {
    return confChangesToText(decodeConfChange(entry).changes);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** One entry a line. */
export function describeEntries(entries: readonly Entry[], format: EntryFormatter = quote): string {
  return entries.map((entry) => `${describeEntry(entry, format)}\n`).join('');
}

export function describeConfChange(change: ConfChangeV2): string {
  const changes = change.changes.map(({ type, nodeId }) => ` changes:{type:${type} node_id:${nodeId}}`);
  const context = change.context.length === 0 ? '' : ` context:${quote(change.context)}`;
  return `transition:${change.transition}${changes.join('')}${context}`;
}

export function describeMajority(voters: Majority): string {
  return `(${voters.map((id) => id.toString(16)).join(' ')})`;
}

export function describeJoint({ incoming, outgoing }: JointQuorum): string {
  return describeMajority(incoming) + (outgoing.length === 0 ? '' : `&&${describeMajority(outgoing)}`);
}

export function describeMembership({ voters, learners, learnersNext, autoLeave }: Membership): string {
  let text = `voters=${describeJoint(voters)}`;
  if (learners.length > 0) text += ` learners=${describeMajority(learners)}`;
  if (learnersNext.length > 0) text += ` learners_next=${describeMajority(learnersNext)}`;
  return autoLeave ? `${text} autoleave` : text;
}

export function describeProgress(progress: Progress): string {
  const { inflights } = progress;
  let text = `${progress.state} match=${progress.match} next=${progress.next}`;
  if (progress.isLearner) text += ' learner';
  if (progress.isPaused()) text += ' paused';
  if (progress.pendingSnapshot > 0) text += ` pendingSnap=${progress.pendingSnapshot}`;
  if (!progress.recentActive) text += ' inactive';
  if (inflights.count > 0) text += ` inflight=${inflights.count}${inflights.isFull() ? '[full]' : ''}`;
  return text;
}

/** One member a line, by ascending id. */
export function describeProgressMap(map: ReadonlyMap<NodeId, Progress> | ProgressMap): string {
  const sorted = [...map].sort(([a], [b]) => a - b);
  return sorted.map(([id, progress]) => `${id}: ${describeProgress(progress)}\n`).join('');
}

export function describeIndex(index: number): string {
  return index === unboundedIndex ? '∞' : String(index);
}

/** A bar per voter, as long as the number of voters behind it; what a majority has reached is then plain to see. */
export function describeAcked(voters: Majority, acked: AckedIndexes): string {
  const n = voters.length;
  if (n === 0) return '<empty majority quorum>';
  const known = voters.map((id) => ({ id, index: acked.ackedIndex(id) }));
  const rows = known.map(({ id, index }) => {
    const bar = known.filter((other) => (other.index ?? 0) < (index ?? 0)).length;
    const drawn = index === undefined ? `?${' '.repeat(n)}` : `${'x'.repeat(bar)}>${' '.repeat(n - bar)}`;
    return `${drawn} ${String(index ?? 0).padStart(5)}    (id=${id.toString(16)})\n`;
  });
  return `${' '.repeat(n)}    idx\n${rows.join('')}`;
}
