/**
 * One operation of a recorded history. A history is a list of these in any order; only the two instants and the outcome
 * matter. An operation without an outcome (timed out, connection lost) stays open: it may take effect at any instant
 * after its call, or never. An operation known to have changed nothing (refused) does not belong in a history, unless
 * the refusal itself says something about the state.
 */
export interface Operation<Input, Output> {
  /** Who called; shown in a stuck window, otherwise without meaning. */
  readonly client: number;
  readonly input: Input;
  /** undefined exactly while open. */
  readonly output: Output | undefined;
  /** Instant of the call, in any unit that one monotonic source gave to the whole history (event number, ms). */
  readonly calledAt: number;
  /** Instant of the return in the same unit, never before the call; Infinity while open. */
  readonly returnedAt: number;
}

export function isOpen(operation: Operation<unknown, unknown>): boolean {
  return operation.returnedAt === Infinity;
}
