import { expect, test } from 'vitest';
import { namedPeers } from './addresses.ts';

const peersOf = (list: string): unknown => namedPeers(list, 'cluster.peers', 6335);

test('members are named with their addresses, the port may be left out', () => {
  expect(peersOf('a=http://one:7000, b=http://two')).toEqual([
    { name: 'a', address: 'one:7000' },
    { name: 'b', address: 'two:6335' },
  ]);
});

test.each([
  ['a=http://one,a=http://two', 'the name a is given twice'],
  ['a=http://one,b=http://one:6335', 'the address one:6335 is given twice'],
  ['http://one', 'http://one has no name'],
])('%s is refused', (list, text) => {
  expect(() => peersOf(list)).toThrow(text);
});
