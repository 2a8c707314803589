import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

/** Takes a turn and notes when it begins. */
async function noted(turns: Turns, began: string[], name: string): Promise<() => void> {
  const end = await turns.take();
  began.push(name);
  return end;
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('as many turns as there is width are taken at a time, in the order in which they were asked for', async () => {
  const turns = new Turns(2);
  const began: string[] = [];
  const taken = ['a', 'b', 'c', 'd'].map((name) => noted(turns, began, name));
  await soon();
  expect(began).toEqual(['a', 'b']);
  (await taken[1]!)();
  await soon();
  expect(began).toEqual(['a', 'b', 'c']);
});

test('no turn begins while all are held, and those asked for meanwhile begin afterwards', async () => {
  const turns = new Turns(1);
  const began: string[] = [];
  const endFirst = await noted(turns, began, 'first');
  const resume = turns.hold();
  const resumeOther = turns.hold();
  const taken = ['a', 'b'].map((name) => noted(turns, began, name));
  endFirst();
  resume();
  await soon();
  expect(began).toEqual(['first']);
  resumeOther();
  await soon();
  expect(began).toEqual(['first', 'a']);
  (await taken[0]!)();
  await soon();
  expect(began).toEqual(['first', 'a', 'b']);
});
