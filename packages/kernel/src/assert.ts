/** Stops on a broken invariant. Always on: a wrong address in flat memory would answer wrongly, not fail. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}
