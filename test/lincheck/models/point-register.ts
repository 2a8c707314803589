/**
 * One point of a collection as a register: its value, or absent (null) before the first upsert and after a delete.
 * `cas` is the conditional write: it takes effect only where the point holds `from` (null: where it is absent).
 */
import type { Model } from '../model.ts';
import { isOpen, type Operation } from '../operation.ts';

export type PointInput =
  | { readonly kind: 'retrieve'; readonly id: number | string }
  | { readonly kind: 'upsert'; readonly id: number | string; readonly value: number }
  | { readonly kind: 'delete'; readonly id: number | string }
  | {
      readonly kind: 'cas';
      readonly id: number | string;
      readonly from: number | null;
      readonly to: number;
    };

/** retrieve: the value or null. cas: whether it took effect. upsert and delete: 'done', whatever was there before. */
export type PointOutput = number | null | boolean | 'done';

export const pointRegister: Model<PointInput, PointOutput, number | null> = {
  name: 'point register',
  initial: null,
  partitionOf: (input) => `point ${input.id}`,
  isRead: (input) => input.kind === 'retrieve',
  step(state, input, output) {
    switch (input.kind) {
      case 'retrieve':
        return output === undefined || output === state ? [state] : [];
      case 'upsert':
        return [input.value];
      case 'delete':
        return [null];
      case 'cas': {
        const swaps = state === input.from;
        if (output !== undefined && output !== swaps) return [];
        return [swaps ? input.to : state];
      }
    }
  },
  keyOf: (state) => (state === null ? 'absent' : String(state)),
  withoutUnseen,
  describe(input, output) {
    const result = output === undefined ? '?' : output === null ? 'absent' : String(output);
    switch (input.kind) {
      case 'retrieve':
      case 'delete':
        return `${input.kind} ${input.id} -> ${result}`;
      case 'upsert':
        return `upsert ${input.id} = ${input.value} -> ${result}`;
      case 'cas':
        return `cas ${input.id} ${input.from ?? 'absent'} to ${input.to} -> ${result}`;
    }
  },
};

/**
 * Leaves out open upserts of a value that no retrieve shows: in any order they can be struck out, since no retrieve comes
 * between such a write and the next. A conditional write may have seen any value without naming it: then all stay.
 */
function withoutUnseen(
  history: readonly Operation<PointInput, PointOutput>[],
): readonly Operation<PointInput, PointOutput>[] {
  if (history.some((op) => op.input.kind === 'cas')) return history;
  const seen = new Set(history.filter((op) => op.input.kind === 'retrieve').map((op) => op.output));
  return history.filter((op) => !(isOpen(op) && op.input.kind === 'upsert' && !seen.has(op.input.value)));
}
