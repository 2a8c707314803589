import { expect, test } from 'vitest';
import type { MetaCommand } from '@quiver/rpc';
import { silentLog } from '@quiver/telemetry';
import { ShardProposals } from './shard-proposals.ts';
import { Turns } from './turns.ts';

interface Sent {
  readonly command: MetaCommand;
  end(): void;
}

function proposer(needsTerm?: () => boolean): { sent: Sent[]; of: (number: number) => ShardProposals } {
  const sent: Sent[] = [];
  const turns = new Turns(2);
  const meta = {
    propose(command: MetaCommand): Promise<unknown> {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      sent.push({ command, end: () => resolve(undefined) });
      return promise;
    },
    linearizableShard: () => Promise.resolve(null),
  };
  const of = (number: number): ShardProposals =>
    new ShardProposals({
      ...{ number, uuid: `c${number}`, shardId: 0, meta, turns, log: silentLog() },
      ...(needsTerm === undefined ? {} : { needsTerm }),
    });
  return { sent, of };
}

/** Until all that can go on has gone on. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}

test('no more commands are under way than the node has turns, and each gets its own', async () => {
  const { sent, of } = proposer();
  for (let number = 1; number <= 5; number += 1) of(number).propose({ kind: 'bump_term', term: number });
  for (let done = 0; done < 5; done += 1) {
    await settled();
    expect(sent).toHaveLength(Math.min(5, done + 2));
    sent[done]!.end();
  }
  expect(sent.map(({ command }) => 'replica' in command && command.replica)).toEqual([1, 2, 3, 4, 5]);
});

test('of one kind that waits its turn the newest goes, once', async () => {
  const { sent, of } = proposer();
  of(1).propose({ kind: 'bump_term', term: 1 });
  of(2).propose({ kind: 'bump_term', term: 1 });
  const waiting = of(3);
  for (const cfgVersion of [7, 8]) waiting.propose({ kind: 'alter_isr', term: 1, cfgVersion, isr: ['3'] });
  waiting.propose({ kind: 'bump_term', term: 4 });
  for (let i = 0; i < 4; i += 1) {
    await settled();
    sent[i]?.end();
  }
  expect(sent.slice(2).map(({ command }) => command)).toEqual([
    expect.objectContaining({ kind: 'alter_in_sync', expectCfg: 8 }),
    expect.objectContaining({ kind: 'bump_term', expectTerm: 4 }),
  ]);
});

test('a replica that is dropped while its command waits sends nothing, and holds up nobody', async () => {
  const { sent, of } = proposer();
  of(1).propose({ kind: 'bump_term', term: 1 });
  of(2).propose({ kind: 'bump_term', term: 1 });
  const dropped = of(3);
  dropped.propose({ kind: 'bump_term', term: 1 });
  of(4).propose({ kind: 'bump_term', term: 1 });
  dropped.stop();
  await settled();
  sent[0]!.end();
  await settled();
  expect(sent.map(({ command }) => 'uuid' in command && command.uuid)).toEqual(['c1', 'c2', 'c4']);
});

test('a new term that nobody needs is proposed when it is asked for, once and the newest', async () => {
  const { sent, of } = proposer(() => false);
  const resting = of(1);
  for (const term of [1, 2]) resting.propose({ kind: 'bump_term', term });
  await settled();
  expect(sent).toEqual([]);
  resting.proposeHeld();
  resting.proposeHeld();
  await settled();
  expect(sent.map(({ command }) => command)).toEqual([
    expect.objectContaining({ kind: 'bump_term', expectTerm: 2 }),
  ]);
});
