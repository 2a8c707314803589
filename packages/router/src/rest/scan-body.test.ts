import { expect, test } from 'vitest';
import type { Chunks, Exchange } from './exchange.ts';
import { releaseChunks } from './node-exchange.ts';
import { createBodyScan, type ScannedBody } from './scan-body.ts';

interface Thread {
  readonly soon: (task: () => void) => void;
  /** What waits for the thread runs, and what follows from it. @returns false: nothing waited */
  readonly turn: () => Promise<boolean>;
  /** @returns turns that there were */
  readonly untilQuiet: () => Promise<number>;
}

function thread(): Thread {
  const tasks: (() => void)[] = [];
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  async function turn(): Promise<boolean> {
    await settled();
    const task = tasks.shift();
    task?.();
    await settled();
    return task !== undefined;
  }
  return {
    soon: (task) => void tasks.push(task),
    turn,
    async untilQuiet() {
      let turns = 0;
      while (await turn()) turns += 1;
      return turns;
    },
  };
}

/** @param chunks - whose memory is given back with the body */
function exchange(chunks: Chunks = []): { exchange: Exchange; released: () => number } {
  let count = 0;
  const releaseBody = (): void => {
    count += 1;
    releaseChunks(chunks);
  };
  const one = { releaseBody } as unknown as Exchange;
  return { exchange: one, released: () => count };
}

function body(points: number, first: number): Chunks {
  const vector = Array.from({ length: 100 }, (_, i) => i + first);
  return [Buffer.from(JSON.stringify({ points: Array.from({ length: points }, () => ({ vector })) }))];
}

function firstNumbers({ doc, marks }: ScannedBody): (number | undefined)[] {
  const { points } = doc as { points: { vector: unknown }[] };
  return points.map(({ vector }) => marks.vectorOf(vector)?.[0]);
}

test('a short body is scanned at once', () => {
  const { soon } = thread();
  const { exchange: one, released } = exchange();
  const scanned = createBodyScan(soon).scan(one, body(3, 7)) as ScannedBody;
  expect(firstNumbers(scanned)).toEqual([7, 7, 7]);
  expect(released()).toBe(1);
});

test('while a long body is scanned the thread does other work, short bodies among it', async () => {
  const { soon, turn, untilQuiet } = thread();
  const bodies = createBodyScan(soon);
  const long = exchange();
  const scanning = bodies.scan(long.exchange, body(6_000, 5)) as Promise<ScannedBody>;
  while (long.released() === 0) expect(await turn()).toBe(true);
  const short = bodies.scan(exchange().exchange, body(2, 9)) as ScannedBody;
  expect(firstNumbers(short)).toEqual([9, 9]);
  expect(await untilQuiet()).toBeGreaterThan(1);
  expect(new Set(firstNumbers(await scanning))).toEqual(new Set([5]));
});

test('long bodies take turns: what one gave out stays until it is released', async () => {
  const { soon, untilQuiet } = thread();
  const bodies = createBodyScan(soon);
  const scans = [1, 2].map((first) => bodies.scan(exchange().exchange, body(6_000, first)));
  await untilQuiet();
  const one = await scans[0]!;
  expect(new Set(firstNumbers(one))).toEqual(new Set([1]));
  one.release();
  await untilQuiet();
  expect(new Set(firstNumbers(await scans[1]!))).toEqual(new Set([2]));
});

test('a long body that is no JSON is refused, and the next one has its turn', async () => {
  const { soon, untilQuiet } = thread();
  const bodies = createBodyScan(soon);
  const chunks = [new TextEncoder().encode(`[${'1,'.repeat(300_000)}]`)];
  const one = exchange(chunks);
  const broken = bodies.scan(one.exchange, chunks);
  const refused = expect(broken).rejects.toThrow("Format error in JSON body: expected value, found ']'");
  const next = bodies.scan(exchange().exchange, body(6_000, 3));
  await untilQuiet();
  await refused;
  expect(one.released()).toBe(1);
  expect(new Set(firstNumbers(await next))).toEqual(new Set([3]));
});

test('a long body that is not UTF-8 is refused, and its memory is given back', async () => {
  const { soon, untilQuiet } = thread();
  const bodies = createBodyScan(soon);
  const chunks = [Uint8Array.from({ length: 600_000 }, (_, i) => (i === 400_000 ? 0xff : 0x61))];
  const one = exchange(chunks);
  const refused = expect(bodies.scan(one.exchange, chunks)).rejects.toThrow('invalid unicode code point');
  await untilQuiet();
  await refused;
  expect(one.released()).toBe(1);
});
