// etcd's confchange scripts: what each change makes of a membership, or why it is refused.
import { describe, expect, test } from 'vitest';
import { confChangesFromText } from './conf-change.ts';
import { describeMembership, describeProgressMap } from './describe.ts';
import { changeSimply, enterJoint, leaveJoint, type ChangedMembership } from './membership-change.ts';
import { rewriteScript, type Directive } from './testing/data-driven.ts';
import { referenceFolder, referenceScripts, skipReason } from './testing/reference.ts';
import { Tracker } from './tracker.ts';

function answered(text: string): string {
  const tracker = new Tracker(10, 0);
  let lastIndex = 0;
  const change = ({ command, args, input }: Directive): ChangedMembership => {
    const changes = confChangesFromText(input);
    if (command === 'simple') return changeSimply(tracker, lastIndex, changes);
    if (command === 'enter-joint') {
      const autoLeave = args.some(({ key, values }) => key === 'autoleave' && values[0] === 'true');
      return enterJoint(tracker, lastIndex, autoLeave, changes);
    }
    if (command === 'leave-joint') return leaveJoint(tracker, lastIndex);
    throw new Error('unknown command');
  };
  return rewriteScript(text, (directive) => {
    try {
      const { membership, progress } = change(directive);
      tracker.switchTo(membership, progress);
      return `${describeMembership(membership)}\n${describeProgressMap(progress)}`;
    } catch (error) {
      return (error as Error).message;
    } finally {
      lastIndex += 1;
    }
  });
}

describe('TestConfChangeDataDriven', () => {
  const isAbsent = referenceFolder() === null;
  const scripts = isAbsent ? [] : referenceScripts('confchange/testdata');
  test.skipIf(isAbsent)(`all 9 scripts are there${skipReason}`, () => {
    expect(scripts).toHaveLength(9);
  });
  test.each(scripts)('$name', ({ text }) => {
    expect(answered(text)).toBe(text);
  });
});
