/** The seeded generator every draw of a pure package uses (mulberry32). Always: the same seed gives the same sequence. */
export interface Rng {
  /** 0..2^32-1 */
  u32(): number;
  /** [0, 1) */
  float(): number;
  /** 0..below-1 */
  below(below: number): number;
  /** Standard normal. */
  normal(): number;
}

export function createRng(seed: number): Rng {
  let state = seed >>> 0;
  function u32(): number {
    state = (state + 0x6d2b_79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }
  const float = (): number => u32() / 2 ** 32;
  return {
    u32,
    float,
    below: (below) => Math.floor(float() * below),
    normal: () => Math.sqrt(-2 * Math.log(1 - float())) * Math.cos(2 * Math.PI * float()),
  };
}
