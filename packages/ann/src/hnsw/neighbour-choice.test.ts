/** The choice of a walk, over a kernel that answers as each test has it. */
import type { Rows, SimdKernel, TopK } from '@quiver/kernel';
import { describe, expect, test } from 'vitest';
import type { Known } from './calibration.ts';
import { chooseWalk, type NeighbourChoice, type WalkSetting } from './neighbour-choice.ts';

interface Walk {
  readonly kind: 0 | 3;
  readonly width: number;
  readonly setting: WalkSetting;
  /** The row asked for, as an index of `asked`. */
  readonly row: number;
}

interface Answers {
  /** Of ten neighbours, how many a walk finds. */
  readonly hits: (walk: Walk) => number;
  readonly bytes: (walk: Walk) => number;
}

/** The kernels' key of a row at a distance of 0 or more. */
function keyOf(distance: number, row: number): bigint {
  const bits = new Uint32Array(Float32Array.of(distance).buffer)[0]!;
  return (BigInt((bits ^ 0x8000_0000) >>> 0) << 32n) | BigInt(row);
}

const asked: readonly Known[] = Array.from({ length: 200 }, (_, row) => ({
  row,
  query: new Float32Array(4),
  farthest: [1],
  crowding: 0.1,
}));

function choose(answers: Answers): { choice: NeighbourChoice; walks: readonly Walk[] } {
  const walks: Walk[] = [];
  let setting: WalkSetting | null = null;
  let row = 0;
  const kernel = {
    setQuery: () => undefined,
    readTop: ({ heap, count }: TopK) => {
      const found = answers.hits(walks.at(-1)!);
      for (let i = 0; i < count; i += 1) heap[i] = keyOf(i < found ? 0.5 : 2, i);
    },
    exports: {
      hideRow: (hidden: number) => (row = hidden),
      walkedBytes: () => answers.bytes(walks.at(-1)!),
      searchGraph: (kind: 0 | 3, k: number, width: number) => {
        walks.push({ kind, width, setting: setting!, row });
        return k;
      },
    },
  };
  const steps = chooseWalk(
    kernel as unknown as SimdKernel,
    { metric: 'manhattan' } as Rows,
    asked,
    0.1,
    (opened) => (setting = opened),
  );
  for (;;) {
    const step = steps.next();
    if (step.done === true) return { choice: step.value, walks };
  }
}

describe('the choice of a walk', () => {
  const isEnough = ({ kind, setting }: Walk): boolean =>
    kind === 0 || (setting.reach > 0 ? setting.reach >= 1 : setting.beamScale >= 1.5);
  const hits = (walk: Walk): number => (isEnough(walk) ? 9 : 8);

  test('is the narrowest beam that finds what int8 codes do, then the least reach that does', () => {
    const bytes = ({ kind, setting }: Walk): number => (kind === 0 ? 100 : setting.reach > 0 ? 40 : 50);
    const { choice } = choose({ hits, bytes });
    expect(choice).toMatchObject({
      walksNeighbourCodes: true,
      setting: { beamScale: 1.5, reach: 1 },
      recallInt8: 0.9,
      recallNeighbourCodes: 0.9,
    });
  });

  test('is no walk within a reach that reads more than one with a beam', () => {
    const bytes = ({ kind, setting }: Walk): number => (kind === 0 ? 100 : setting.reach > 0 ? 70 : 50);
    const { choice } = choose({ hits, bytes });
    expect(choice.setting).toMatchObject({ beamScale: 1.5, reach: 0 });
  });

  test('compares what walks read for equal recall, not at equal widths', () => {
    const found = { beam: [5, 6, 7, 8, 9], reach: [6, 7, 8, 9, 9] };
    const read = { beam: [10, 20, 30, 40, 50], reach: [17, 27, 37, 47, 47] };
    const of = ({ beam, reach }: typeof read, { kind, width, setting }: Walk): number =>
      (kind === 3 && setting.reach > 0 ? reach : beam)[[10, 16, 32, 64, 128].indexOf(width)]!;
    const answers = {
      hits: (walk: Walk) => of(found, walk) - (isEnough(walk) ? 0 : 1),
      bytes: (walk: Walk) => (walk.kind === 0 ? 2 : 1) * of(read, walk),
    };
    expect(choose(answers).choice.setting.reach).toBe(1);
    const dear = { ...read, reach: [23, 33, 43, 53, 53] };
    const dearer = { ...answers, bytes: (walk: Walk) => (walk.kind === 0 ? 2 : 1) * of(dear, walk) };
    expect(choose(dearer).choice.setting.reach).toBe(0);
  });

  test('trusts widths by how many answers are missed there', () => {
    const at = ({ width }: Walk): number => [10, 16, 32, 64, 128].indexOf(width);
    // From 64 on two answers of 2,000 are missed.
    const found = (walk: Walk): number => (at(walk) < 3 ? 7 + at(walk) : walk.row < 2 ? 9 : 10);
    const read = { beam: [10, 20, 30, 40, 50], reach: [9, 18, 27, 80, 100] };
    const { choice } = choose({
      hits: (walk) => found(walk) - (isEnough(walk) ? 0 : 1),
      bytes: (walk) => (walk.kind === 0 ? 200 : (walk.setting.reach > 0 ? read.reach : read.beam)[at(walk)]!),
    });
    expect(choice.setting.reach).toBe(1);
  });

  test('is int8 codes where no beam reads less, or none finds as much; what it found is known nevertheless', () => {
    const more = choose({ hits, bytes: ({ kind }) => (kind === 0 ? 50 : 60) });
    expect(more.choice).toMatchObject({ walksNeighbourCodes: false, recallNeighbourCodes: 0.9 });
    const worse = choose({
      hits: ({ kind }) => (kind === 0 ? 9 : 8),
      bytes: ({ kind }) => (kind === 0 ? 50 : 40),
    });
    expect(worse.choice).toMatchObject({ walksNeighbourCodes: false, recallNeighbourCodes: 0.8 });
  });

  test('asks at wide beams only the settings that are taken', () => {
    const bytes = ({ kind }: Walk): number => (kind === 0 ? 100 : 50);
    const { walks } = choose({ hits, bytes });
    const wide = walks.filter(({ kind, width }) => kind === 3 && width > 10);
    const settings = new Set(wide.map(({ setting }) => `${setting.beamScale}, ${setting.reach}`));
    expect([...settings]).toEqual(['1.5, 0', '1.5, 1']);
  });

  test('goes on from settings that fail at a wider beam only', () => {
    const hardest = ({ width, setting }: Walk): boolean => width < 64 || setting.beamScale >= 2.25;
    const found = (walk: Walk): number => (walk.kind === 0 || (isEnough(walk) && hardest(walk)) ? 9 : 8);
    const { choice } = choose({ hits: found, bytes: ({ kind }) => (kind === 0 ? 100 : 50) });
    expect(choice.setting).toMatchObject({ beamScale: 2.25, reach: 1 });
  });

  test('asks a walk no further than it can still find enough, and few rows where nearly all is found', () => {
    const ofWidth = ({ width }: Walk): number => (width >= 32 ? 10 : 9);
    const { walks } = choose({
      hits: (walk) => (isEnough(walk) ? ofWidth(walk) : ofWidth(walk) - 1),
      bytes: ({ kind }) => (kind === 0 ? 100 : 50),
    });
    const counts = new Map<number, number>();
    for (const { kind, width } of walks) if (kind === 0) counts.set(width, (counts.get(width) ?? 0) + 1);
    expect([...counts]).toEqual([
      [10, 200],
      [16, 200],
      [32, 200],
      [64, 50],
      [128, 50],
    ]);
    const hopeless = walks.filter((walk) => walk.setting.beamScale === 1.25);
    // Rows may miss 1.05 answers each: a walk that misses two of each is known after half of them.
    expect(hopeless.length).toBeLessThan(110);
    expect(hopeless.every(({ width }) => width === 10)).toBe(true);
  });
});
