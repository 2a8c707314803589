/** Texts of numbers as clients print them, and those that rounding is hard for. Seeded: the same seed, the same texts. */

/** Uniform in [0, 1); mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);
const f64 = new Float64Array(1);
const u64 = new BigUint64Array(f64.buffer);

function nextFloat(x: number): number {
  f32[0] = x;
  u32[0]! += 1;
  return f32[0];
}

export function anyFloat(random: () => number): number {
  do u32[0] = Math.floor(random() * 2 ** 32);
  while (!Number.isFinite(f32[0]));
  return f32[0]!;
}

/** One generator per kind. */
export function numberKinds(random: () => number): Readonly<Record<string, () => string>> {
  const signed = (): number => random() * 2 - 1;
  const below = (n: number): number => Math.floor(random() * n);
  const middle = (): [number, number] => {
    const a = Math.fround(random());
    return [a, nextFloat(a)];
  };
  return {
    'f32 widened, 17 digits': () => String(Math.fround(signed() / 20)),
    f64: () => String(signed()),
    'nine digits': () => Math.fround(signed()).toPrecision(9),
    fixed: () => signed().toFixed(4 + below(9)),
    exponents: () => {
      const text = (signed() * 10 ** Math.floor(signed() * 12)).toExponential(below(17));
      return random() < 0.3 ? text.toUpperCase() : text;
    },
    integers: () => String(Math.floor(signed() * 10 ** below(20))),
    'any f32': () => String(anyFloat(random)),
    'any f64 in range': () => {
      let x: number;
      do {
        u64[0] = (BigInt(below(2 ** 32)) << 32n) | BigInt(below(2 ** 32));
        x = f64[0]!;
      } while (!(Math.abs(x) <= 3e38));
      return String(x);
    },
    'middles of two floats and beside': () => {
      const [a, b] = middle();
      f64[0] = (a + b) / 2;
      u64[0] = u64[0]! + BigInt(below(3)) - 1n;
      return String(f64[0]);
    },
    'middles in 30 digits': () => {
      const [a, b] = middle();
      return ((a + b) / 2).toFixed(30) + (random() < 0.5 ? '' : '1');
    },
    subnormal: () => {
      u32[0] = below(0x90_0000);
      return String(f32[0]! * (1 + random() * 1e-7));
    },
    'near the largest': () => String(3.4028e38 * (1 + random() * 2e-4)),
    zeros: () => ['0', '-0', '0.0', '-0.000', '0e5', '0.0e-7'][below(6)]!,
    'long runs of zeros': () => `0.${'0'.repeat(below(30))}${below(1e9)}${'0'.repeat(below(30))}`,
  };
}
