/**
 * The sequential specification that a history is checked against. States are immutable values; a step is pure.
 */
import type { Operation } from './operation.ts';

export interface Model<Input, Output, State> {
  readonly name: string;
  readonly initial: State;
  /**
   * The object that an operation touches. Operations on different objects are independent of each other, so each
   * object's history is checked alone (P-compositionality, Horn and Kroening 2015).
   */
  partitionOf(input: Input): string;
  /** True when no step of this input changes the state: left open, such an operation constrains nothing. */
  isRead(input: Input): boolean;
  /**
   * States that the operation may leave when it takes effect in `state` and gives `output`; none when it cannot give
   * it there. Without an output (an open operation) any outcome is allowed.
   */
  step(state: State, input: Input, output: Output | undefined): readonly State[];
  /** Equal for equal states and for no others. */
  keyOf(state: State): string;
  /**
   * The history of one object without the operations that no order needs: a history is linearizable exactly when this
   * one is. Open writes that nobody saw double the search each; absent: nothing can be left out.
   */
  withoutUnseen?(history: readonly Operation<Input, Output>[]): readonly Operation<Input, Output>[];
  describe(input: Input, output: Output | undefined): string;
}
