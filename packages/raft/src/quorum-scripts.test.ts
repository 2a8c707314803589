// etcd's quorum scripts: commit indexes and votes of majorities and joint quorums, with their cross-checks.
import { describe, expect, test } from 'vitest';
import { describeAcked, describeIndex } from './describe.ts';
import { committedByJoint, votesOfJoint, votersOf, type JointQuorum } from './quorum-joint.ts';
import { committedByMajority, createMajority, votesOfMajority, type Majority } from './quorum-majority.ts';
import { rewriteScript, type Directive } from './testing/data-driven.ts';
import { ackedFrom, committedByCounting, type IndexMap } from './testing/quorum-oracle.ts';
import { referenceFolder, referenceScripts, skipReason } from './testing/reference.ts';

interface Case {
  readonly quorum: JointQuorum;
  readonly isJoint: boolean;
  /** In order of first mention of the voters; null where the script says nothing is known. */
  readonly given: readonly (string | null)[];
  readonly byVoter: ReadonlyMap<number, string>;
}

function parse({ args }: Directive): Case {
  const valuesOf = (key: string): readonly string[] => args.find((arg) => arg.key === key)?.values ?? [];
  const incoming = valuesOf('cfg').map(Number);
  const joint = args.find(({ key }) => key === 'cfgj');
  const outgoing = (joint?.values ?? []).filter((value) => value !== 'zero').map(Number);
  const given = [...valuesOf('idx'), ...valuesOf('votes')].map((value) => (value === '_' ? null : value));
  const byVoter = new Map<number, string>();
  for (const [i, id] of [...new Set([...incoming, ...outgoing])].entries()) {
    const value = given[i];
    if (value !== null && value !== undefined) byVoter.set(id, value);
  }
  const quorum = { incoming: createMajority(incoming), outgoing: createMajority(outgoing) };
  return { quorum, isJoint: joint !== undefined, given, byVoter };
}

function committed({ quorum, isJoint, byVoter }: Case): string {
  const map = new Map([...byVoter].map(([id, value]) => [id, Number(value)]));
  return isJoint ? committedJoint(quorum, map) : committedMajority(quorum.incoming, map);
}

function committedJoint(quorum: JointQuorum, map: IndexMap): string {
  const acked = ackedFrom(map);
  const index = committedByJoint(quorum, acked);
  const swapped = committedByJoint({ incoming: quorum.outgoing, outgoing: quorum.incoming }, acked);
  const note = swapped === index ? '' : `${describeIndex(swapped)} <-- via symmetry\n`;
  return `${describeAcked(votersOf(quorum), acked)}${note}${describeIndex(index)}\n`;
}

function committedMajority(voters: Majority, map: IndexMap): string {
  const acked = ackedFrom(map);
  const index = committedByMajority(voters, acked);
  let text = describeAcked(voters, acked);
  const check = (other: number, how: string): void => {
    if (other !== index) text += `${describeIndex(other)} <-- via ${how}\n`;
  };
  check(committedByCounting(voters, acked), 'alternative computation');
  check(committedByJoint({ incoming: voters, outgoing: [] }, acked), 'zero-joint quorum');
  check(committedByJoint({ incoming: voters, outgoing: voters }, acked), 'self-joint quorum');
  for (const [id, own] of map) {
    // One that does not hold the commit index up does not hold it down either.
    if (!(index > own && own > 0)) continue;
    for (const lower of [own - 1, 0])
      check(committedByMajority(voters, ackedFrom(new Map([...map, [id, lower]]))), `overlaying ${id}`);
  }
  return `${text}${describeIndex(index)}\n`;
}

function vote({ quorum, isJoint, byVoter }: Case): string {
  const votes = new Map([...byVoter].map(([id, value]) => [id, value === 'y']));
  if (!isJoint) return `${votesOfMajority(quorum.incoming, votes)}\n`;
  const result = votesOfJoint(quorum, votes);
  const swapped = votesOfJoint({ incoming: quorum.outgoing, outgoing: quorum.incoming }, votes);
  return `${swapped === result ? '' : `${swapped} <-- via symmetry\n`}${result}\n`;
}

function run(directive: Directive): string {
  const parsed = parse(directive);
  const voters = votersOf(parsed.quorum);
  if (voters.length !== parsed.given.length) {
    const values = parsed.given.map((value) => value ?? '0').join(' ');
    return `error: mismatched input (explicit or _) for voters map[${voters.map((id) => `${id}:{}`).join(' ')}]: [${values}]`;
  }
  if (directive.command === 'committed') return committed(parsed);
  if (directive.command === 'vote') return vote(parsed);
  throw new Error(`unknown command: ${directive.command}`);
}

describe('TestDataDriven', () => {
  const isAbsent = referenceFolder() === null;
  const scripts = isAbsent ? [] : referenceScripts('quorum/testdata');
  test.skipIf(isAbsent)(`all 4 scripts are there${skipReason}`, () => {
    expect(scripts).toHaveLength(4);
  });
  test.each(scripts)('$name', ({ text }) => {
    expect(rewriteScript(text, run)).toBe(text);
  });
});
