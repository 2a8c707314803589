/** A broken invariant: always on, stops the process. One condition per call, both numbers in the text. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}
