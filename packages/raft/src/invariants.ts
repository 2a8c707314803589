/**
 * What must hold or the process stops. A consensus core that goes on after a broken invariant forgets acknowledged
 * writes; nothing here is ever switched off.
 */

/** One condition per call, both numbers in the text. For hot paths write `if (…) broken(…)`: the text is then lazy. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) broken(message);
}

export function broken(message: string): never {
  throw new Error(`invariant broken: ${message}`);
}

/** Indices, terms and ids travel as JavaScript numbers: beyond 2^53 they would merge silently. */
export function assertCounter(value: number, name: string): void {
  if (!Number.isSafeInteger(value) || value < 0) broken(`${name} is ${value}, not an integer in 0..2^53-1`);
}
