import { expect, test } from 'vitest';
import { inTurns } from './in-turns.ts';

test('work runs in the order of asking, also after some of it failed', async () => {
  const turns = inTurns();
  const done: string[] = [];
  const slow = Promise.withResolvers<undefined>();
  const act = (name: string, wait?: Promise<undefined>) => async (): Promise<void> => {
    await wait;
    done.push(name);
    if (name === 'fails') throw new Error(name);
  };
  const [first, second, third] = [
    turns(act('first', slow.promise)),
    turns(act('fails')),
    turns(act('third')),
  ];
  second.catch(() => undefined);
  expect(done).toEqual([]);
  slow.resolve(undefined);
  await first;
  await expect(second).rejects.toThrow('fails');
  await third;
  expect(done).toEqual(['first', 'fails', 'third']);
});
