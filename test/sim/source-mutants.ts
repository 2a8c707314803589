/**
 * Mistakes of the consensus and of the metadata store as changes of the source, made while it is loaded: the production
 * code carries no switch for them. Always: each text to be replaced is in its file exactly once, so that a mutant whose
 * place is gone is noticed.
 */
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Life } from './life.ts';

export interface SourceMutant {
  readonly name: string;
  readonly life: Life;
  readonly edits: readonly (readonly [file: string, find: string, replace: string])[];
  /** Why it can not be noticed. */
  readonly isEquivalent?: string;
}

const raft = 'packages/raft/src';
const meta = 'packages/meta/src';
const root = fileURLToPath(new URL('../../', import.meta.url));

function consensus(name: string, ...edits: SourceMutant['edits']): SourceMutant {
  return { name, life: 'consensus', edits };
}

export const sourceMutants: readonly SourceMutant[] = [
  consensus('vote-not-persisted', [
    `${meta}/raft-storage.ts`,
    "if (next !== null) changes.push({ kind: 'put', key: hardStateKey, value: encodeHardState(next) });",
    "if (next !== null) changes.push({ kind: 'put', key: hardStateKey, value: encodeHardState({ ...next, vote: 0 }) });",
  ]),
  consensus('answers-before-fsync', [
    `${meta}/raft-host.ts`,
    'for (const message of ready.messages) if (isEarly(message)) options.send(message);',
    'for (const message of ready.messages) options.send(message);',
  ]),
  consensus('leader-counts-unsynced', [
    `${meta}/raft-host.ts`,
    'await write(ready, isChanging);',
    'void write(ready, isChanging);',
  ]),
  consensus('commits-old-term-by-count', [
    `${raft}/log.ts`,
    'if (at.term === 0 || at.index <= this.committed || !this.matches(at)) return false;',
    'if (at.term === 0 || at.index <= this.committed) return false;',
  ]),
  consensus('votes-for-any-log', [
    `${raft}/log.ts`,
    'return theirs.term > ours.term || (theirs.term === ours.term && theirs.index >= ours.index);',
    'return theirs.term >= 0 && ours.term >= 0;',
  ]),
  consensus('refused-vote-tells-no-commit', [
    `${raft}/config.ts`,
    'votesTellCommit: true,',
    'votesTellCommit: false,',
  ]),
  consensus('commit-of-a-refused-vote-is-taken-unseen', [
    `${raft}/election.ts`,
    '!core.log.maybeCommit({ index: commit, term: logTerm })',
    '!core.log.maybeCommit({ index: commit, term: logTerm > 0 ? core.log.termOrZero(commit) : 0 })',
  ]),
  consensus('pre-vote-moves-term', [
    `${raft}/step.ts`,
    "if (type === 'MsgPreVote' || (type === 'MsgPreVoteResp' && !message.reject)) return true;",
    '',
  ]),
  consensus('leads-without-quorum', [
    `${raft}/leader.ts`,
    'if (!core.tracker.isQuorumActive()) {',
    'if (false) {',
  ]),
  consensus('truncates-what-matches', [
    `${raft}/log.ts`,
    'const conflict = this.findConflict(entries);',
    'const conflict = entries[0]?.index ?? 0;',
  ]),
  consensus('heartbeat-commits-beyond-match', [
    `${raft}/replication.ts`,
    'const commit = Math.min(progress.match, core.log.committed);',
    'const commit = core.log.committed;',
  ]),
  consensus('read-before-own-commit', [
    `${raft}/reads.ts`,
    'const isCommitted = core.hasCommittedInTerm();',
    'const isCommitted = true;',
  ]),
  consensus('read-without-quorum', [
    `${raft}/reads.ts`,
    "if (core.config.readOnly === 'lease_based' || core.tracker.isSingleton()) {",
    'if (core.config.readOnly.length > 0) {',
  ]),
  consensus('read-numbers-repeat', [
    `${meta}/pending-reads.ts`,
    'this.#last = Math.floor(env.random() * 2 ** 47);',
    'this.#last = 0;',
  ]),
  consensus(
    'learners-vote',
    [
      `${raft}/tracker.ts`,
      'return votersOf(this.membership.voters);',
      'return [...votersOf(this.membership.voters), ...this.membership.learners];',
    ],
    [
      `${raft}/tracker.ts`,
      'return { granted, rejected, result: votesOfJoint(this.membership.voters, this.votes) };',
      'const { voters, learners } = this.membership; return { granted, rejected, result: votesOfJoint({ ...voters, incoming: [...voters.incoming, ...learners] }, this.votes) };',
    ],
  ),
  consensus('change-while-one-is-open', [
    `${raft}/proposal.ts`,
    'if (core.pendingConfIndex > applied)',
    'if (core.pendingConfIndex < 0)',
  ]),
  consensus('joint-commits-by-one-majority', [
    `${raft}/quorum-joint.ts`,
    'return Math.min(committedByMajority(quorum.incoming, acked), committedByMajority(quorum.outgoing, acked));',
    'return committedByMajority(quorum.incoming, acked);',
  ]),
  consensus('joint-elects-by-one-majority', [
    `${raft}/quorum-joint.ts`,
    'if (incoming === outgoing) return incoming;',
    "if (incoming === 'VoteWon' || outgoing === 'VoteWon') return 'VoteWon';",
  ]),
  consensus('joint-is-never-left', [
    `${raft}/step.ts`,
    "if (!membership.autoLeave || applied < core.pendingConfIndex || core.role !== 'StateLeader') return;",
    'if (applied >= 0) return;',
  ]),
  consensus(
    'snapshot-overwrites-newer-log',
    [`${raft}/snapshot.ts`, 'if (index <= log.committed) return false;', ''],
    [`${raft}/snapshot.ts`, 'if (log.matches({ index, term })) {', 'if (false) {'],
    // The host does not even fetch one that it has applied.
    [
      `${meta}/raft-host.ts`,
      "if (message.type === 'MsgSnap' && message.snapshot !== null && message.snapshot.meta.index > applied) {",
      "if (message.type === 'MsgSnap' && message.snapshot !== null) {",
    ],
  ),
  consensus('window-is-never-freed', [
    `${raft}/inflights.ts`,
    'while (this.#count > 0 && this.#indexes[this.#start]! <= index) {',
    'while (false) {',
  ]),
  consensus('ticks-not-capped', [
    `${meta}/raft-host.ts`,
    'for (let i = isStuck ? 0 : Math.min(due, ticksAtOnceMax); i > 0; i -= 1) {',
    'for (let i = isStuck ? 0 : due; i > 0; i -= 1) {',
  ]),
  consensus('snapshot-in-the-middle-of-a-turn', [
    `${meta}/raft-host.ts`,
    'if (arrived === null || isWorking) return;',
    'if (arrived === null) return;',
  ]),
  consensus('leader-forgets-a-change', [
    `${meta}/raft-host.ts`,
    "const isChanging = ready.committedEntries.some(({ type }) => type !== 'EntryNormal');",
    'const isChanging = false;',
  ]),
  consensus('ticks-before-inbox', [`${meta}/raft-host.ts`, 'env.soon(() => {', '[0].forEach(() => {']),
  consensus('wiped-disk-keeps-its-id', [
    'test/sim/consensus/member.ts',
    'this.#world.witness.lost(this.id);\n    this.id = this.#world.takeId();',
    'this.#world.witness.lost(this.id);',
  ]),
  consensus('damaged-volume-is-used', [
    'test/sim/consensus/volume.ts',
    '{ measure, groupInLog: this.#groupInLog, onPoison },',
    '{ measure, acceptLoss: true, onPoison },',
  ]),
  {
    name: 'in-sync-set-without-compare-and-set',
    life: 'members',
    edits: [[`${meta}/apply/shard.ts`, 'shard.cfgVersion === expectCfg &&', '']],
  },
  {
    name: 'promotion-out-of-the-in-sync-set',
    life: 'members',
    edits: [
      [`${meta}/apply/shard.ts`, 'if (replica !== null && !shard.inSync.includes(replica)) return null;', ''],
      [
        `${meta}/controller-shard.ts`,
        'if (one === primary || isDead(one) || report === null || !shard.inSync.includes(one.replica)) continue;',
        'if (one === primary || isDead(one) || report === null) continue;',
      ],
    ],
  },
  {
    name: 'proposals-are-applied-twice',
    life: 'members',
    edits: [
      [`${meta}/session.ts`, 'if (session === undefined || seq > session.seq) return null;', 'return null;'],
    ],
  },
];

/** Modules below the one that is imported with `?mutant=NAME` are loaded anew, with the mutant's edits. */
export function loadMutants(): void {
  const made = new Map<string, number>();
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      const query = /\?mutant=.*$/.exec(context.parentURL ?? '')?.[0];
      const isOurs = found.url.startsWith(`file://${root}`) && !found.url.includes('/node_modules/');
      return query === undefined || !isOurs ? found : { ...found, url: found.url + query };
    },
    load(url, context, next) {
      const loaded = next(url, context);
      const name = /\?mutant=(.*)$/.exec(url)?.[1];
      const mutant = sourceMutants.find((one) => one.name === name);
      if (mutant === undefined || loaded.source == null) return loaded;
      let source = Buffer.from(loaded.source as Uint8Array).toString();
      for (const [file, find, replace] of mutant.edits) {
        if (!url.startsWith(`file://${root}${file}?`)) continue;
        if (source.split(find).length !== 2) throw new Error(`${mutant.name}: ${file} has not once: ${find}`);
        source = source.replace(find, () => replace);
        made.set(mutant.name, (made.get(mutant.name) ?? 0) + 1);
      }
      return { ...loaded, source };
    },
  });
  editsMade = (mutant) => made.get(mutant.name) ?? 0;
}

/** How many edits were made: less than there are means that a file is not loaded any more. */
export let editsMade: (mutant: SourceMutant) => number = () => 0;
